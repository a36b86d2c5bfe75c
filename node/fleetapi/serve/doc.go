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
// is. Who may open the Unix socket needs no credentials. A request that is passed on
// carries a ticket that is made with the cluster's join token, by which a worker knows
// that a member has judged it; a user's password goes along to members only, since a
// worker may be anybody who knows the join token. A client's certificate can't be
// passed on: a user who is known by one alone is not let in to journals of other members.
//
// Files: serve.go (Handler), machine.go (what a machine knows), hop.go (asking
// another node), ticket.go, socket.go.
package serve
