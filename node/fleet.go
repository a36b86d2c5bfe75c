package node

import (
	"errors"
	"fmt"

	"drydock/node/consensus"
	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/state"
)

// fleetSide is what a member does for machines and units: as leader through
// package control, else it says who leads.
type fleetSide struct {
	control *control.Control
	// store is the state that control follows.
	store *fleet.Store
	// reads wait for their place in the order, by token.
	reads map[uint64]func(*fleet.Store)
	asks  asks
	// told is the revision that hosts were last told of.
	told uint64
	// bad counts frames of machines that couldn't be read.
	bad uint64
}

// Own tokens of the fleet: each has a number in its lower bits.
const (
	tokenFleet = 0b110 << 61 // a command of package control's
	tokenRound = 0b101 << 61 // a quorum round for it
	tokenKind  = 0b111 << 61
)

// ErrFleetCommand refuses, of a FleetRequest, what isn't for users to say.
var ErrFleetCommand = errors.New("node: machines and leaders give this command, users don't")

// govern lets package control do what is due, if this member leads. It leads from
// when it has applied an entry of its term: then it knows all sessions that earlier
// leaders have granted.
func (n *Node) govern() {
	c := n.fleet.control
	_, term := n.core.Lead()
	_, applied := n.state.Applied()
	leads := n.core.IsLeader() && applied == term && n.state.Allows(state.KindFleet) == nil
	if c.Leads() && (!leads || c.Term() != term || n.fleet.store != n.state.Fleet()) {
		c.Resign()
	}
	if leads && !c.Leads() {
		n.fleet.store = n.state.Fleet()
		c.Lead(n.at.Mono, term, n.fleet.store)
	}
	if !c.Leads() {
		return
	}
	n.obey(c.Run(n.at.Mono))
}

// obey carries out what package control asks for.
func (n *Node) obey(out *control.Output) {
	for _, p := range out.Proposals {
		if n.propose(state.Command{Kind: state.KindFleet, Fleet: p.Command}, tokenFleet|p.Seq) != nil {
			n.fleet.control.Ended(n.at.Mono, p.Seq)
		}
	}
	if out.Round != 0 && n.core.Read(tokenRound|out.Round) != nil {
		n.fleet.control.RoundEnded(out.Round)
	}
	for _, s := range out.Sends {
		n.fx.ToMachines = append(n.fx.ToMachines, ToMachine{Machine: s.Machine, Frame: s.Frame})
	}
	if out.More {
		n.more = true
	}
}

// report tells the host of changes to the fleet's state, and sends what the turn
// since govern has led to.
func (n *Node) reportFleet() {
	if n.fleet.control.Leads() {
		n.obey(n.fleet.control.Gathered())
	}
	if r := n.state.Fleet().Revision(); r != n.fleet.told {
		n.fleet.told, n.fx.FleetRevision = r, r
	}
}

// fromMachine takes a machine's frame. A bad one is dropped: machines repeat what
// matters.
func (n *Node) fromMachine(machine string, frame []byte) {
	f, err := link.Decode(frame)
	if err != nil || f.Machine != machine || f.Cluster != n.cfg.Cluster {
		n.fleet.bad++
		return
	}
	lead, _ := n.core.Lead()
	switch {
	case n.fleet.control.Leads():
		n.fleet.control.Receive(n.at.Mono, machine, f)
	case f.Hello == nil && f.Beat == nil && f.Bye == nil:
		// It will hear who leads when it beats.
	case n.state.Allows(state.KindFleet) != nil:
		young := n.at.Mono-n.booted.Mono < 4*n.cfg.Election && n.cfg.Release >= state.KindFleet.Since()
		if f.Hello != nil && !young { // who was founded just now is about to be raised
			n.toMachine(machine, &link.Frame{Sorry: &link.Sorry{
				Nonce: f.Hello.Nonce, After: n.cfg.Election,
				Why: fmt.Sprintf("the cluster speaks release %d, units need release %d", n.state.Release(), state.KindFleet.Since()),
			}})
		}
	case lead != n.cfg.ID:
		m, _ := n.state.Member(lead)
		n.toMachine(machine, &link.Frame{Redirect: &link.Redirect{Leader: lead, URLs: m.PeerURLs}})
	}
}

func (n *Node) toMachine(machine string, f *link.Frame) {
	f.Cluster, f.Machine = n.cfg.Cluster, machine
	n.fx.ToMachines = append(n.fx.ToMachines, ToMachine{Machine: machine, Frame: f.Encode()})
}

// fleetEnd is told that a command was applied, and says whether it was one of
// package control's.
func (n *Node) fleetEnd(token uint64, res *state.Result) bool {
	if token&tokenKind != tokenFleet {
		return false
	}
	seq := token &^ uint64(tokenKind)
	if res.Fleet == nil && res.Refusal == nil { // a repeated one, whose answer was not seen here
		n.fleet.control.Ended(n.at.Mono, seq)
		return true
	}
	var out fleet.Outcome
	if res.Fleet != nil {
		out = *res.Fleet
	}
	n.fleet.control.Settled(n.at.Mono, seq, out, res.Refusal)
	return true
}

// fleetEnded is told of a command or read that got no answer, and says whether it
// was one of package control's.
func (n *Node) fleetEnded(token uint64) bool {
	switch seq := token &^ uint64(tokenKind); token & tokenKind {
	case tokenFleet:
		n.fleet.control.Ended(n.at.Mono, seq)
	case tokenRound:
		n.fleet.control.RoundEnded(seq)
	default:
		delete(n.fleet.reads, token)
		return false
	}
	return true
}

// fleetRead serves a read whose place in the order has come, if it is of the fleet.
//
// A round counts only for the term in which it was asked. Should this member have
// lost the lead since, another leader may have answered, who counts leases from an
// earlier time than the beats that wait for the round: by then control has resigned,
// or does so in this step, before the answer of such a round can come.
func (n *Node) fleetRead(token uint64) bool {
	if token&tokenKind == tokenRound {
		if _, term := n.core.Lead(); n.core.IsLeader() && term == n.fleet.control.Term() {
			n.fleet.control.Confirmed(n.at.Mono, token&^uint64(tokenKind))
		}
		return true
	}
	look, ok := n.fleet.reads[token]
	if !ok {
		return false
	}
	delete(n.fleet.reads, token)
	n.lookAtFleet(token, look)
	return true
}

func (n *Node) lookAtFleet(token uint64, look func(*fleet.Store)) {
	look(n.state.Fleet())
	n.fx.Answers = append(n.fx.Answers, Answer{Token: token, Status: consensus.Done, Meta: n.meta(), Now: n.now()})
}

// readFleet starts a read of the fleet.
func (n *Node) readFleet(in *FleetRead) {
	n.checkToken(in.Token)
	switch applied, _ := n.state.Applied(); {
	case applied == 0:
		n.refuse(in.Token, errJoining)
	case in.Stale:
		n.lookAtFleet(in.Token, in.Look)
	default:
		if err := n.core.Read(in.Token); err != nil {
			n.refuse(in.Token, err)
			return
		}
		n.fleet.reads[in.Token] = in.Look
	}
}

// changeFleet starts a user's change of the fleet. Whether the state allows it is
// seen when it is applied.
func (n *Node) changeFleet(token uint64, c *fleet.Command) {
	n.checkToken(token)
	applied, _ := n.state.Applied()
	err := c.Check()
	switch {
	case applied == 0:
		err = errJoining
	case err != nil:
	case c.Open != nil || c.Close != nil || c.Report != nil || c.Place != nil:
		err = ErrFleetCommand
	default:
		err = n.propose(state.Command{Kind: state.KindFleet, Fleet: c}, token)
	}
	if err != nil {
		n.refuse(token, err)
	}
}

// checkToken panics at a token that isn't a host's.
func (n *Node) checkToken(token uint64) {
	if token == tokenExpire || token > MaxToken {
		panic(fmt.Sprintf("node: a request's token must be from 1 to %d, not %d", uint64(MaxToken), token))
	}
}

// FleetView is what a member tells of machines and units.
type FleetView struct {
	// Leads says that this member governs; the Counters are of its own life.
	Leads    bool
	Counters control.Counters
	// Units, Machines (those without a session, too) and States are in the state.
	Units, Machines, States int
	// Bad counts frames of machines that couldn't be read.
	Bad uint64
}

func (n *Node) fleetView() FleetView {
	s := n.state.Fleet()
	return FleetView{
		Leads: n.fleet.control.Leads(), Counters: n.fleet.control.Counters(),
		Units: s.Units(), Machines: s.Machines(), States: s.States(), Bad: n.fleet.bad,
	}
}
