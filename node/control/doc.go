// Package control is the leader's side of the fleet: it keeps the sessions of
// machines, decides with package scheduler where units run, and tells machines
// what they are to have.
//
// # Purpose
//
// A Control leads from Lead to Resign. Between these it is handed frames from
// machines, the ends of its own proposals and of its quorum rounds, and Run says
// what is to be sent, proposed and asked. All that must outlive a leader is in
// package fleet's state; what is here is rebuilt from it in bounded steps, during
// which machines keep their leases.
//
// # Sessions
//
// A machine says hello and gets a session by a command in the log. From then on it
// beats, and nothing is logged. Beats are gathered for a while, then a quorum round
// confirms that this member still leads, and only then are they acknowledged: a
// deposed leader acknowledges nothing. The machine counts its lease from when it
// sent a beat, this side from when it came, stretched by the bound on clocks' rates;
// so whoever is declared gone here has ended its units before. A new leader counts
// from when it began to lead for all that it hasn't heard: its predecessor can have
// acknowledged no beat that was sent later.
//
// # Placement
//
// The scheduler is told of every change of the applied state. Where it wants a unit
// is compared with where the state has it, and the difference is proposed, one
// proposal a unit at a time. A move that is refused, because the state has gone on
// since, is thus decided anew on what the state is by then. Orders follow from the
// state alone.
//
// # Invariants
//
//   - No beat is acknowledged after the session's end was proposed.
//   - A session's end is not proposed before its lease, stretched, has passed since
//     the last beat, or since this member began to lead.
//   - What is proposed carries the term, and has no effect in another one.
//   - At rest nothing is proposed. A beat costs the same however many machines
//     there are.
//   - A step is bounded: so many decisions, units read and commands under way.
//
// Files: control.go (Control), session.go (the table and the leases), hello.go,
// round.go (beats), propose.go (commands under way), orders.go, report.go,
// takeover.go (what a new leader reads), place.go (from the scheduler to
// proposals), global.go, trouble.go (failures and timers), why.go.
package control
