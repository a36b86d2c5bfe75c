// Package agent is one machine's side of the cluster: it keeps the machine's
// session, reconciles what it is ordered to have with what runs, and reports.
//
// An Agent is a pure function from inputs to effects. Who hosts it carries frames
// to and from a member, asks a runtime for operations, hands the lease's deadline
// to the machine's guard and keeps a record for the agent's next life. Production
// and the simulator host the same agent.
//
// # The lease
//
// A machine's units that are not global may run until the lease's deadline: the
// sending of the last beat that the leader has acknowledged, plus the lease,
// shortened by the bound on clock rates. Where acknowledgements fail to come it beats
// more often, so that messages lost now and then cost nobody the lease. The clock must count the time that the
// machine is suspended (CLOCK_BOOTTIME). After two thirds of the lease without an
// acknowledgement the agent stops these units in good order, and starts them again
// if the acknowledgement still comes; shortly before the deadline it kills what is
// left. The guard kills at the deadline, whatever the agent does. Whether the session
// is over is the leader's to say: if it still acknowledges a beat, it has given the
// units to nobody else, and they are started again; if it has closed the session,
// another one is asked for when nothing is left that isn't global. A cluster may
// choose that its machines keep running their units; then time alone ends nothing.
//
// What an agent that didn't get to run finds running beyond its deadline is killed, and
// started again if the session lives: the guard may have killed it already.
//
// # Invariants
//
//   - What isn't global is started only on orders of the live session, within the
//     first half of its lease, and after the guard has been handed a deadline
//     (Effects says in which order effects are carried out).
//   - Orders of another session, or of a version that isn't greater, change
//     nothing, also after a restart of the agent. Nothing is stopped for lack of
//     orders before the session's first ones.
//   - A unit isn't started while anything on the machine that is not known to have
//     ended is in conflict with it, either way, or takes the resources that it needs.
//   - A unit has one operation under way at a time. Only an end may overtake a start,
//     and a kill anything.
//   - A unit is started once for each placement and each wished restart: what
//     happens then is its own Restart=. A stop for the lease's sake is undone when
//     the lease goes on.
//   - A unit is reported gone when its kill has said that nothing is left.
//   - Reports say what the runtime said last, and are repeated until they are noted.
//
// Files: api.go what goes in and comes out, record.go what outlives the agent,
// agent.go the agent and its step, session.go hello to goodbye, lease.go deadlines
// and beats, peers.go which member to talk to, orders.go orders and texts, unit.go
// one unit, reconcile.go what is done about it, room.go conflicts and resources,
// report.go reports.
package agent
