package consensus

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/state"
	"drydock/node/world"
)

// Config holds what a core needs to know. Zero fields get the default.
type Config struct {
	// ID is this member's id and Incarnation counts its lives; together they
	// make command ids unique for ever.
	ID          world.MemberID
	Incarnation uint64
	// Release is what this member speaks; commands that came later are not
	// taken from others. Default: the newest.
	Release state.Release
	// HeartbeatTicks and ElectionTicks are raft's timers in ticks. An election
	// starts after one to two times ElectionTicks without a leader.
	HeartbeatTicks, ElectionTicks int
	// MaxAppends bounds unfinished batches on the disk (default 4). New
	// commands wait while half of them are under way; see pace for what packs them.
	MaxAppends int
	// MaxBatchBytes bounds one entry (default 1 MiB) unless a single command
	// is larger.
	MaxBatchBytes int
	// MaxWaiting bounds commands and reads that wait (default 8192 each).
	MaxWaiting int
	// MaxWaitingBytes bounds the commands that wait (default 64 MiB, exceeded
	// by one command at most).
	MaxWaitingBytes int
	// RequestTimeout is after how long an operation ends without its answer
	// (default 7 s, as etcd's 5 s and two elections).
	RequestTimeout time.Duration
	// ResendAfter is after how long a forwarded command, for the first time, or
	// an unanswered read round is sent again (default 500 ms).
	ResendAfter time.Duration
}

func (c *Config) setDefaults() {
	setDefault(&c.Release, state.Newest)
	setDefault(&c.MaxAppends, 4)
	setDefault(&c.MaxBatchBytes, 1<<20)
	setDefault(&c.MaxWaiting, 8192)
	setDefault(&c.MaxWaitingBytes, 64<<20)
	setDefault(&c.RequestTimeout, 7*time.Second)
	setDefault(&c.ResendAfter, 500*time.Millisecond)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// maxCommittedBytes bounds the entries of one Output that are to be applied,
// unless a single one is larger.
const maxCommittedBytes = 256 << 10

// Start is what was recovered from disk.
type Start struct {
	// Applied, Term and Conf describe the checkpoint; Conf as EncodeConf made
	// it.
	Applied, Term uint64
	Conf          []byte
	// Hard is the last hard state, Entries what follows Applied in the log.
	Hard    HardState
	Entries []*raftpb.Entry
}

// HardState is raft's durable state besides its entries.
type HardState struct{ Term, Vote, Commit uint64 }

// Core is one member's consensus.
type Core struct {
	cfg     Config
	raw     *raft.RawNode
	log     *raft.MemoryStorage
	conf    *raftpb.ConfState
	now     time.Duration
	lead    world.MemberID
	role    raft.StateType
	term    uint64
	header  func() state.Header
	applied uint64

	appends []*Append // unfinished, oldest first
	// applyResponses are raft's answers to itself when Output.Committed is
	// applied.
	applyResponses []*raftpb.Message
	out            Output // what the next Ready gives
	spare          Output // what the last one gave

	props  proposals
	pace   pace
	held   held
	reads  reads
	late   lateCommit
	member membership
}

// New starts a core. Header is asked for the time and digest that go into each
// entry that this member proposes as leader.
func New(cfg Config, st Start, header func() state.Header) (*Core, error) {
	cfg.setDefaults()
	conf, err := DecodeConf(st.Conf)
	if err != nil {
		return nil, err
	}
	c := &Core{cfg: cfg, log: raft.NewMemoryStorage(), conf: conf, header: header, applied: st.Applied}
	if st.Applied > 0 {
		snap := &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &st.Applied, Term: &st.Term, ConfState: conf}}
		if err := c.log.ApplySnapshot(snap); err != nil {
			return nil, fmt.Errorf("consensus: checkpoint %d: %w", st.Applied, err)
		}
	}
	if err := c.log.Append(st.Entries); err != nil {
		return nil, fmt.Errorf("consensus: entries: %w", err)
	}
	hard := st.Hard
	last, _ := c.log.LastIndex()
	hard.Commit = min(max(hard.Commit, st.Applied), last)
	if st.Term > hard.Term {
		hard.Term, hard.Vote = st.Term, 0
	}
	if hard != (HardState{}) {
		if err := c.log.SetHardState(&raftpb.HardState{Term: &hard.Term, Vote: &hard.Vote, Commit: &hard.Commit}); err != nil {
			return nil, fmt.Errorf("consensus: hard state: %w", err)
		}
	}
	c.term = hard.Term
	c.raw, err = raft.NewRawNode(&raft.Config{
		ID:                        uint64(cfg.ID),
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             cfg.HeartbeatTicks,
		Storage:                   c.log,
		Applied:                   st.Applied,
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             1 << 20,
		MaxCommittedSizePerReady:  maxCommittedBytes,
		MaxUncommittedEntriesSize: 256 << 20,
		MaxInflightMsgs:           256,
		MaxInflightBytes:          64 << 20,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		DisableProposalForwarding: true,
		StepDownOnRemoval:         true,
		Logger:                    quietLogger{},
	})
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	c.props.init()
	return c, nil
}

// SetTime tells the time without counting ticks: what is taken from now on has
// its deadline from here.
func (c *Core) SetTime(now time.Duration) { c.now = now }

// Tick moves raft's clock by n ticks and ends what has waited too long.
func (c *Core) Tick(now time.Duration, n int) {
	c.now = now
	for range n {
		c.raw.Tick()
	}
	c.writeLate()
	c.expireProposals()
	c.expireReads()
}

// Receive hands a raft message from a peer to raft. Errors say why it was
// dropped; dropping is always safe.
func (c *Core) Receive(m *raftpb.Message) error {
	if m.GetTo() != uint64(c.cfg.ID) {
		return fmt.Errorf("consensus: message for member %x", m.GetTo())
	}
	switch m.GetType() {
	case raftpb.MsgProp, raftpb.MsgSnap:
		// Commands are forwarded with their ids, snapshots stream.
		return fmt.Errorf("consensus: unexpected %s", m.GetType())
	case raftpb.MsgReadIndex:
		if c.hasty() {
			return nil // who asked, asks again
		}
	}
	err := c.raw.Step(m)
	if errors.Is(err, raft.ErrStepPeerNotFound) {
		return nil
	}
	return err
}

// Lead returns the leader that this member follows, 0 if none, and its term.
func (c *Core) Lead() (world.MemberID, uint64) { return c.lead, c.term }

// IsLeader says whether this member leads, as far as it knows.
func (c *Core) IsLeader() bool { return c.role == raft.StateLeader }

// Role returns raft's word for this member's part.
func (c *Core) Role() raft.StateType { return c.role }

// Campaign starts an election now: the only member of a young cluster need not
// wait for its timer.
func (c *Core) Campaign() error { return c.raw.Campaign() }

// TransferTo asks the leader, which this member must be, to hand over to id.
func (c *Core) TransferTo(id world.MemberID) error {
	if !c.IsLeader() {
		return errors.New(ReasonNotLeader)
	}
	c.raw.TransferLeader(uint64(id))
	return nil
}

// quietLogger drops raft's log and keeps its panics: they are broken promises
// of raft or of its storage, and the member must not go on.
type quietLogger struct{}

func (quietLogger) Debug(...any)            {}
func (quietLogger) Debugf(string, ...any)   {}
func (quietLogger) Error(...any)            {}
func (quietLogger) Errorf(string, ...any)   {}
func (quietLogger) Info(...any)             {}
func (quietLogger) Infof(string, ...any)    {}
func (quietLogger) Warning(...any)          {}
func (quietLogger) Warningf(string, ...any) {}
func (quietLogger) Fatal(v ...any)          { panic("raft: " + fmt.Sprint(v...)) }
func (quietLogger) Fatalf(f string, v ...any) {
	panic("raft: " + fmt.Sprintf(f, v...))
}
func (quietLogger) Panic(v ...any)            { panic("raft: " + fmt.Sprint(v...)) }
func (quietLogger) Panicf(f string, v ...any) { panic("raft: " + fmt.Sprintf(f, v...)) }
