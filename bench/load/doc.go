// Package load asks HTTP/1.1 servers for work over raw sockets and measures how
// long they take. It exists because Go's HTTP client costs more than the servers
// that are to be compared: here a request is bytes that were made beforehand and an
// answer is parsed in place, so an operation costs one write, one read and no
// allocation.
//
// Closed loop: each connection has one request open at a time and sends the next
// when the answer is there. That finds the peak rate, and hides stalls: who waits
// asks for nothing meanwhile. Open loop: requests are due at instants that a rate
// fixes in advance, and a latency counts from the instant at which its request was
// due, whether or not a connection was free to send it then. A server that stalls
// for a second thus shows in all that was due in that second; what has no answer
// at the end counts with its age.
//
// Invariants:
//
//   - An answer that is not HTTP/1.1 to the letter, that the work did not expect, or
//     a connection that ends, fails the run. Nothing is left out of a distribution.
//   - Few goroutines: one for each worker, over epoll where there is such, however
//     many connections there are.
//   - The window that is counted begins and ends where Begin and End are called, so
//     that the caller's own readings (CPU time, say) are of the same window.
//
// Files: run.go (a run), worker.go (the loop), socket.go, poll.go and
// poll_linux.go (what is below), parse.go (answers), latency.go (distributions),
// client.go (one request at a time, for what is not measured).
package load
