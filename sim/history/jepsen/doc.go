// Package jepsen reads the operations of Jepsen's textual logs into a history.
//
// An operation is two lines, its invocation and its end, each with a process, a
// type, a function and a value, parted by tabs or spaces; whatever stands
// before the process (level, date, logger, thread) is ignored:
//
//	INFO  jepsen.util - 1	:invoke	:cas	[0 4]
//	INFO  jepsen.util - 1	:ok	:cas	[0 4]
//
// Types: invoke; ok, it happened; fail, it certainly did not; info, nobody
// knows, and the process crashed. Functions: read, write, cas; acquire and
// release; enqueue and dequeue. Values: nil, a number or another word, a quoted
// text, and for cas a pair [old new]. What follows the value is the error that
// the client was told. Lines of the nemesis and lines without an operation are
// ignored. The logs carry no times that all clients share, but their order is
// that of the events, so the number of a line is its time.
package jepsen
