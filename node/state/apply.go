package state

import (
	"errors"
	"fmt"
	"time"

	"drydock/node/auth"
	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/world"
)

// ErrDiverged is matched when a replica finds that its state at some index was
// not its leader's.
var ErrDiverged = errors.New("state: replica differs from its leader")

// State is the replicated state. It is not safe for concurrent use.
type State struct {
	applied  uint64 // index of the last applied entry
	term     uint64 // its term
	revision uint64 // commands so far
	now      keys.Stamp
	keys     *keys.Store
	members  []Member         // by id
	sessions []*session       // sessions[i] is members[i]'s
	release  Release          // of the cluster; 0 stands for the first
	removed  []world.MemberID // members that are no more, the latest last
	auth     *auth.Book       // nil stands for the first one
	fleet    *fleet.Store
	chain    chain
	past     [digestRing]pastDigest
	speaks   Release // of this program; 0 stands for the newest

	commands []Command // of the entry that is applied, used again
	results  []Result
}

// New returns the state of a cluster before its first entry. Index 1 stands for
// its founding, so that a member which joins later, at index 0, is always
// behind and is brought up by a snapshot.
func New(founders []Member) *State {
	// The founding counts as the first command: an answer's revision is never 0.
	s := &State{applied: 1, term: 1, revision: 1, keys: keys.New(), fleet: fleet.New(), chain: newChain()}
	for _, m := range founders {
		m.Learner = false
		i, ok := s.findMember(m.ID)
		if ok {
			panic(fmt.Sprintf("state: founders hold member %x twice", uint64(m.ID)))
		}
		s.members = append(s.members[:i], append([]Member{m}, s.members[i:]...)...)
		s.sessions = append(s.sessions, new(session))
	}
	s.remember(s.applied)
	return s
}

// Result is what one command came to.
type Result struct {
	ID       ID
	Token    string
	Revision uint64
	// Repeated is set when the command had been decided before: it took no
	// effect here and has no answer.
	Repeated bool
	Event    *keys.Event
	Err      *keys.Error
	// Refusal is the reason for which a command that is none of the keyspace's
	// had no effect.
	Refusal error
	// Auth is what a KindAuth that had an effect came to, Fleet what a KindFleet did.
	Auth  *auth.Outcome
	Fleet *fleet.Outcome
}

// Keys is the keyspace, for reads and watches.
func (s *State) Keys() *keys.Store { return s.keys }

// Applied returns index and term of the last applied entry.
func (s *State) Applied() (index, term uint64) { return s.applied, s.term }

// Revision counts the commands so far.
func (s *State) Revision() uint64 { return s.revision }

// Now returns the cluster time of the last applied entry.
func (s *State) Now() keys.Stamp { return s.now }

// Apply applies one entry. Data is a batch, or empty for the entry that a new
// leader begins with. The results are valid until the next Apply. Errors are
// fatal to the replica.
func (s *State) Apply(index, term uint64, data []byte) ([]Result, error) {
	s.step(index, term)
	if len(data) == 0 {
		s.remember(index)
		return nil, nil
	}
	b, err := decodeBatch(s.commands[:0], data)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	if d, ok := s.DigestAt(b.CheckIndex); ok && d != b.CheckDigest {
		return nil, fmt.Errorf("%w: at index %d this replica had %x, the leader %x", ErrDiverged, b.CheckIndex, d, b.CheckDigest)
	}
	if err := s.known(b.Commands); err != nil {
		return nil, fmt.Errorf("entry %d: state: %w", index, err)
	}
	s.advance(b.Time)
	clear(s.results)
	s.results = s.results[:0]
	for i := range b.Commands {
		s.results = append(s.results, s.applyCommand(&b.Commands[i]))
	}
	// What the commands and results name must not stay alive by this.
	clear(b.Commands)
	s.commands = b.Commands[:0]
	s.remember(index)
	return s.results, nil
}

// ApplyMembers applies the context of a configuration change. changed says
// whether the configuration is to change; a repeated or refused one is not.
func (s *State) ApplyMembers(index, term uint64, data []byte) (res Result, changed bool, err error) {
	s.step(index, term)
	defer s.remember(index)
	if len(data) == 0 {
		return Result{}, true, nil // the second half of a joint change
	}
	c, err := DecodeCommand(data)
	if err != nil {
		return Result{}, false, fmt.Errorf("entry %d: %w", index, err)
	}
	if c.Kind != KindMembers {
		return Result{}, false, fmt.Errorf("entry %d: %w: kind %d in a configuration change", index, ErrCommand, c.Kind)
	}
	res = Result{ID: c.ID, Token: c.Token}
	if !s.admit(&c) {
		res.Repeated = true
		return res, false, nil
	}
	s.revision++
	res.Revision = s.revision
	if res.Refusal = s.CheckChanges(c.Members); res.Refusal != nil {
		s.chain.word(0)
		return res, false, nil
	}
	s.applyChanges(c.Members)
	s.chain.text(string(appendChanges(nil, c.Members)))
	return res, true, nil
}

func (s *State) step(index, term uint64) {
	if index != s.applied+1 {
		panic(fmt.Sprintf("state: entry %d applied after %d", index, s.applied))
	}
	s.applied, s.term = index, term
}

// advance moves cluster time, never back.
func (s *State) advance(to keys.Stamp) {
	if to.Cluster > s.now.Cluster {
		s.now.Cluster = to.Cluster
	}
	s.now.Wall = to.Wall
}

// admit decides whether the command is applied for the first time.
func (s *State) admit(c *Command) bool {
	i, ok := s.findMember(c.ID.Member)
	fresh := ok && s.sessions[i].admit(c.ID, c.Low)
	s.chain.word(uint64(c.ID.Member))
	s.chain.word(c.ID.Incarnation<<32 ^ c.ID.Seq)
	if !fresh {
		s.chain.word(1)
	}
	return fresh
}

func (s *State) applyCommand(c *Command) Result {
	res := Result{ID: c.ID, Token: c.Token}
	if !s.admit(c) {
		res.Repeated = true
		return res
	}
	s.revision++
	res.Revision = s.revision
	switch c.Kind {
	case KindKeys:
		s.applyKeys(&c.Keys, &res)
	case KindExpire:
		s.applyKeys(&keys.Command{Kind: keys.Expire}, &res)
	case KindRelease:
		s.applyOther(s.raise(c.Raise), c.Raise.append, &res)
	case KindPublish:
		s.applyOther(s.publish(c.Publish), c.Publish.append, &res)
	case KindAuth:
		s.applyOther(s.applyAuth(c.Auth, &res), c.Auth.AppendBinary, &res)
	case KindFleet:
		s.applyFleet(c.Fleet, &res)
	default:
		res.Refusal = fmt.Errorf("%w: kind %d belongs in a configuration change", ErrCommand, c.Kind)
		s.chain.word(2)
	}
	return res
}

func (s *State) applyKeys(c *keys.Command, res *Result) {
	res.Event, res.Err = s.keys.Apply(c, s.now)
	if res.Err != nil {
		s.chain.word(uint64(res.Err.Code))
		s.chain.text(res.Err.Cause)
	}
	s.chain.word(s.keys.Index())
}

// applyOther completes a command that is none of the keyspace's and had an
// effect unless refused: encode gives what the digest is to cover.
func (s *State) applyOther(refused error, encode func([]byte) []byte, res *Result) {
	if res.Refusal = refused; refused != nil {
		s.chain.word(0)
		return
	}
	s.chain.text(string(encode(nil)))
}

// Due returns the cluster time at which something expires next.
func (s *State) Due() (time.Duration, bool) { return s.keys.NextExpiry() }

// HasMember says whether id is a member, voting or not.
func (s *State) HasMember(id world.MemberID) bool {
	_, ok := s.findMember(id)
	return ok
}

// Empty returns the state of a member that has yet to be told anything.
func Empty() *State { return &State{keys: keys.New(), fleet: fleet.New(), chain: newChain()} }
