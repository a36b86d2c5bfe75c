// Package history holds what a run leaves for its checkers: the operations,
// watches and locks as clients saw them (Op, Watch, Hold), what the disks say
// was committed (Committed, Configuration), and records of what members did
// (Led, Vote, Digest, …). It is plain data with a file format for operations;
// it knows no rule of any store.
//
// # The file format
//
// A history file is JSON Lines in UTF-8: one object a line, one line an
// operation, at most 16 MiB a line. Empty lines and lines that begin with '#'
// are ignored. The first line that is not ignored may be a header:
//
//	{"drydock-history":1,"scenario":"leader-crash","seed":"7f3a"}
//
// 1 is the format's version; scenario and seed (texts) are optional. Any system
// may write such a file; it needs only client, op, call and return:
//
//	{"client":"c1","op":"put","key":"/a","value":"1","call":10,"return":20}
//	{"client":"c2","op":"get","key":"/a","call":15,"return":30,"out":"1"}
//	{"client":"c1","op":"put","key":"/a","value":"2","call":31,"status":"unknown"}
//
// The fields of an operation; all but three are optional. A name that is not
// listed, a name given twice and a value of another type are errors; null is
// the same as leaving the field out.
//
//	client    required  text     who asked; one operation open at a time
//	op        required  text     get list put create update cas delete cad append
//	                             expire (keyspace), read write cas (register),
//	                             acquire release (lock), enqueue dequeue (queue)
//	call      required  number   when it was asked: ns >= 0, one clock for all
//	return    required unless status is "unknown"; ns >= call
//	status    "ok"      text     ok: answered, also with an error code;
//	                             refused: certainly without effect;
//	                             unknown: may take effect, now, later or never
//	id        position  number   > 0, unique; default is the operation's position
//	                             in the file, from 1
//	key       ""        text     what it acts on; a keyspace needs a path
//	value     ""        text     what a write writes, an append appends, an
//	                             enqueue adds; write each value only once for
//	                             the sharpest verdict
//	prevValue none      text     cas, cad: the value that must be there
//	prevIndex 0         number   cas, cad: the modification index that must be
//	                             there; 0 is no condition
//	out       none      text     what a get, read or dequeue returned; for a
//	                             write the previous value, if the answer had it
//	items     none      list     what a list returned, in its order:
//	                             {"key":…,"value":…,"created":…}, key in full,
//	                             created optional
//	code      0         number   the answer's error: 100 not found, 101 compare
//	                             failed, 102 not a file, 104 not a directory,
//	                             105 exists; lock and queue: any other number
//	                             than 0 is "busy", "not yours" or "empty"
//	ttl       0         number   the time to live in seconds that a write gives
//	                             its key; 0 is none
//	refresh   false     boolean  a write that renews the ttl and keeps the value
//	left      0         number   the time to live that the answer showed
//	stale     false     boolean  a read that promises only a prefix of history
//	node      ""        text     the member that answered
//	token     ""        text     the request's id
//	revision  0         number   a write's place in the store's order of all
//	                             commands, or the revision a read was served
//	                             from; with it the verdict takes milliseconds
//	index     0         number   the store's index with the answer
//	modified  0         number   the node's modification index with the answer
//	created   0         number   the node's creation index with the answer
//	settled   ""        text     for unknown: "never" or "applied", when the
//	                             store's log was looked at afterwards
//	settledRevision 0   number   with "applied": its place
//	error     ""        text     what the client was told, for people
//
// An expire is no client's operation: it is the removal of a key whose time to
// live was over, written down by whoever knows the store's log, with the
// removed key, its revision and any client name.
//
// Intervals are closed: an operation that returns at 20 and one called at 20
// are concurrent. Files written by this package have their operations in order
// of id; a reader takes any order.
package history
