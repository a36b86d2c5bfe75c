// Package serve answers HTTP requests of the fleet API over a running node. What
// requests and answers mean is package fleetapi's.
//
// A member answers from the replicated state, and asks its leader why units aren't
// placed. What only a machine knows, journals and states of processes, is passed on
// to the node that runs there, if it isn't this one: once, as HeaderHop says, so
// that no request goes in circles. A worker, which passes everything on to members,
// answers such requests itself (Machine).
//
// While users are on, the API is for those with the role root, as the members' API
// is. A worker has no book of users: it has a member judge the credentials that
// come with a request. Who may open the Unix socket needs no others. Credentials go
// with a request that is passed on, but a client's certificate can't: a user who is
// known by one alone is not let in to journals of other machines.
//
// Files: serve.go (Handler), machine.go (what a machine knows), hop.go (asking
// another node), socket.go.
package serve
