package link

import (
	"time"

	"drydock/node/fleet"
	"drydock/node/unit"
	"drydock/node/world"
)

// Frame is one message between a machine and a member. Exactly one of the pointers
// is set.
type Frame struct {
	Cluster uint64
	Machine string

	// From the machine.
	Hello  *Hello
	Beat   *Beat
	Report *Report
	Want   *Want
	Bye    *Bye
	// To the machine.
	Welcome  *Welcome
	Redirect *Redirect
	Sorry    *Sorry
	Ack      *Ack
	Orders   *Orders
	Texts    *Texts
	Noted    *Noted
	Closed   *Closed
}

// Hello asks for a session, or to go on with one that the machine remembers.
type Hello struct {
	// Nonce names this wish for a session, and the answer carries it. It is the same
	// when the wish is repeated, so that a leader whose Welcome was lost says it again.
	Nonce uint64
	// Session is one that this machine had and whose units may still run, 0 for none.
	Session uint64
	// Machine is what it tells of itself.
	Machine fleet.Machine
}

// Welcome opens or resumes a session.
type Welcome struct {
	Nonce   uint64
	Session uint64
	Term    uint64
	// Beat is how often to beat, Lease how long an acknowledged beat is good for, counted
	// from when it was sent; Drift is the stated bound on clock rates in parts per million.
	Beat, Lease time.Duration
	Drift       int
	// Keep has the machine go on running its units when its lease passes.
	Keep bool
}

// Redirect says who leads, as far as the member knows: 0 if nobody.
type Redirect struct {
	Leader world.MemberID
	// URLs are the leader's peer URLs.
	URLs []string
}

// Sorry refuses a Hello; the machine may try again After a while.
type Sorry struct {
	Nonce uint64
	Why   string
	After time.Duration
}

// Beat says that the machine lives.
type Beat struct {
	Session uint64
	// Seq counts the machine's beats; no two of a session have the same, also if the
	// agent was restarted between them.
	Seq uint64
	// Have is the version of the orders that the machine has in full.
	Have uint64
}

// Ack says that the leader of Term had the beat and then made sure that it leads.
type Ack struct {
	Session, Seq uint64
	Term         uint64
	// Version is that of the machine's orders as the leader has applied them.
	Version uint64
	// Terms are what the beat is good for: this leader's, which may have been told others
	// than the one that opened the session. Without a Lease they are as they were.
	Terms Terms
}

// Terms are what a Welcome says, too, in its fields of the same names.
type Terms struct {
	Beat, Lease time.Duration
	Drift       int
	Keep        bool
}

// Orders are all that the machine is to have, at Version. Versions grow; an earlier
// one changes nothing. Orders too long for a frame come in Parts, numbered from 0,
// of at least one. A unit that isn't listed is dropped.
type Orders struct {
	Session, Term uint64
	Version       uint64
	Part, Parts   int
	// Total is the number of units in all parts. A version's list may get shorter, when
	// units have left: parts of different totals don't belong together.
	Total int
	Units []Order
	// Texts are those of units that are new; the machine asks for others that it lacks.
	Texts []string
}

// Order is one unit that the machine is to have, or, if Desired is Inactive, one
// that is known to be leaving (fleet.Leaving): the machine drops it, if it has it,
// and in any case reports it Gone with at least this Gen. So a machine that never
// heard of the unit, or has forgotten that it had it, says so, too.
type Order = fleet.Order

// Want asks for the texts of hashes.
type Want struct {
	Session uint64
	Hashes  []unit.Hash
}

// Texts are texts of units; a text's hash is its name.
type Texts struct {
	Texts []string
}

// Report carries what changed of the machine's units.
type Report struct {
	Report fleet.Report
}

// Noted says that reports up to Seq are applied, for good.
type Noted struct {
	Session, Seq uint64
}

// Bye ends a session in good order: nothing that isn't global runs any more.
type Bye struct {
	Session uint64
	Why     string
}

// Closed says that a session is over: what isn't global must end at once, before the
// machine may say hello again.
type Closed struct {
	Session uint64
	Why     string
}
