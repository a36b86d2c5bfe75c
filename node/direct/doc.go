// Package direct serves the plain requests of the keyspace without net/http, which
// costs several times what the rest of a read or write does.
//
// Few goroutines (shards) each wait for many connections at once, by an epoll of
// their own, read what is ready, hand all calls that came together to the host in
// one piece, and write the answers of one step of the node together.
//
// It understands a strict subset of HTTP/1.1, see parse: a request that is the way
// clients of the keyspace write it, with at most a small body whose length is told.
// Everything else is handed over: the connection, with all bytes that were read of
// it and not answered, goes to net/http and stays there. So whatever is malformed,
// ambiguous or rare is judged by the server that would have judged it without this
// package, on the same bytes; nothing is refused here for its form.
//
// Invariants:
//
//   - A connection has one request at a time; those behind it wait unread, or in a
//     buffer of bounded size.
//   - A request is answered here or handed over, never both: what is handed over
//     begins with the first byte that was not answered.
//   - A watch of one event is served here, too: its head at once, then the event. A
//     stream is handed over.
//   - A client that doesn't read holds one answer, for WriteTime at most.
//   - An idle connection holds no buffer, and no timer of its own.
//   - A connection's state is touched by its shard's goroutine alone.
//
// Files: parse.go (the subset), direct.go (what a server is given), server_linux.go
// (connections' shards), shard_linux.go (the loop), conn_linux.go (a connection's
// course), epoll_linux.go (system calls); server_other.go, where there is no epoll.
package direct
