package node

import (
	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/fleet"
	"drydock/node/state"
	"drydock/node/world"
)

// Input is one of the inputs below: the set is closed.
type Input interface{ isInput() }

// Tick says that the timer is due.
type Tick struct{}

// Received is a frame from the network, at most wire.MaxFrameBytes long. The
// node owns it.
type Received struct{ Frame []byte }

// JobDone says that a job's Run and Sync have returned.
type JobDone struct {
	ID  uint64
	Err error
}

// Request is a client's call, decoded. Token is the host's name for it, from 1
// to MaxToken: the answer carries it. The node answers every request exactly once, but for
// watches, which are answered by a head and then events.
type Request struct {
	Token uint64
	Call  *api.Call
}

// Cancel says that whoever asked with Token is gone: a read or watch ends
// without another word, or with its time-out; a write goes on and is answered.
type Cancel struct{ Token uint64 }

// ChangeMembers asks for a change of membership; all changes go through one
// (joint) configuration.
type ChangeMembers struct {
	Token   uint64
	Changes []state.MemberChange
}

// UpdateMember asks for what a member publishes of itself to be changed: its
// name or URLs. The answer's Refusal matches state.ErrNoMember, state.ErrURLTaken
// or, where some member runs an older release, state.ErrNotYet.
type UpdateMember struct {
	Token   uint64
	Publish state.Publish
}

// ChangeAuth asks for a change of users or roles, or to switch auth on or off.
// The answer has what came of it in Auth, or else its Refusal is an *auth.Error
// or, where some member runs an older release, matches state.ErrNotYet.
type ChangeAuth struct {
	Token   uint64
	Command *auth.Command
}

// TransferLeader asks this member, which must lead, to hand over to To.
type TransferLeader struct {
	Token uint64
	To    world.MemberID
}

// FromMachine is a frame of package link from a machine. Whoever carries it has made
// sure that it comes from there. The node owns it.
type FromMachine struct {
	Machine string
	Frame   []byte
}

// FleetRequest asks for a change of units or machines: a Put, Destroy, Patch or
// Drain. The answer has what came of it in Fleet, or else its Refusal is an error of
// packages fleet or unit or, where some member runs an older release, matches
// state.ErrNotYet.
type FleetRequest struct {
	Token   uint64
	Command *fleet.Command
}

// FleetRead asks for a look at units and machines that sees all that was done before
// it; with Stale, at what this member has. Look is called once, within a step, before
// the answer; it must be quick, copy out what it wants and change nothing.
type FleetRead struct {
	Token uint64
	Stale bool
	Look  func(*fleet.Store)
}

// FleetAsk asks why units aren't as they are wanted: see control.Why. Any member
// answers, by asking the leader. Names are at most wire.MaxAsked.
type FleetAsk struct {
	Token uint64
	Units []string
}

func (Tick) isInput()           {}
func (Received) isInput()       {}
func (JobDone) isInput()        {}
func (Request) isInput()        {}
func (Cancel) isInput()         {}
func (ChangeMembers) isInput()  {}
func (UpdateMember) isInput()   {}
func (ChangeAuth) isInput()     {}
func (TransferLeader) isInput() {}
func (FromMachine) isInput()    {}
func (FleetRequest) isInput()   {}
func (FleetRead) isInput()      {}
func (FleetAsk) isInput()       {}
