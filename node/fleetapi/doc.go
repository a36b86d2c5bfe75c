// Package fleetapi is the fleet HTTP API, version 1, bytes to values and values to
// bytes: a request becomes a Call, what a Call needs is collected from the
// replicated state, and made into a Response. It opens no connection and knows no
// node; package serve below does.
//
// A request goes through Decode. If the call has a Command, whoever serves it
// proposes that and hands the outcome to Call.Done, Refused or Failed. If it
// Reads, Collect takes what it needs from the state, quickly, and Encode makes the
// answer of that, at leisure. Journals and states of processes (Call.AtMachine)
// are told by the machine that has them.
//
// # The API
//
// The prefix is /fleet/v1, and /v1-alpha for old clients. As in fleet 1.0:
//
//	GET    /units          all units, 100 a page
//	GET    /units/N        a unit
//	PUT    /units/N        makes a unit (201), changes its text (201) or what is desired of it (204)
//	DELETE /units/N        destroys a unit (204)
//	GET    /state          what machines have told of units; ?machineID= and ?unitName= choose
//	GET    /state/N        the first of them of a unit
//	GET    /machines       machines that are up, 100 a page
//	PATCH  /machines       changes what is said of machines (204)
//	GET    /discovery      the description of all this
//
// Keys of objects are sorted, what is empty is left out, and errors are
// {"error":{"code":N,"message":"…"}}. Where fleet fails, this doesn't: a
// desiredState that is none is refused with 400 (fleet took it, and could not read
// the unit any more), the state of a unit that has none is a 404 (fleet's server
// fell over), a new unit without a desiredState is inactive (fleet made it and
// answered 500), and 500 always says what is known.
//
// Ours, beside it:
//
//	?quorum=false          on a GET: from the node's own copy, which may be old
//	?details=true          on a GET: more fields: hash, why, places, …
//	?wait=true&after=N     on a GET: answers when something has changed after revision N (header
//	                       X-Fleet-Revision), or after ?timeout=SECONDS (30)
//	?names=A,B             on GET /units: these, on one page
//	?all=true              on GET /machines: those that are down, too
//	?createOnly=true       on a PUT: refused if the unit is there with another text
//	GET    /units/N/why    why it is not as it should be, in words
//	POST   /units/N/restart
//	GET    /units/N/journal?lines=10&follow=true&after=NUMBER&machine=ID
//	GET    /units/N/status?machine=ID
//	PUT    /machines/ID/drain, DELETE /machines/ID/drain
//
// What is accepted and does nothing, or needs systemd, is said in headers
// X-Fleet-Remark of the answer to a PUT.
//
// Invariants:
//
//   - Decode never panics, and what it refuses it answers in fleet's words where
//     fleet has some.
//   - No answer says more than a page, but for names that were asked for.
//   - A page is found by its place in an index, not by looking through all before.
//
// Files: call.go (Decode), query.go (parameters and page tokens), body.go (bodies),
// collect.go (from the state), why.go, view.go (JSON), encode.go, answer.go (responses),
// discovery.go.
package fleetapi
