package consensus_test

import (
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// env is a few cores with a network and disks that do only what a script says.
// Its transcript is the whole conversation.
type env struct {
	cores map[world.MemberID]*member
	order []world.MemberID
	queue []packet
	later []packet // on slow links
	slow  map[[2]world.MemberID]time.Duration
	cut   map[[2]world.MemberID]bool
	now   time.Duration
	out   strings.Builder
	quiet bool
	token uint64
	// frames counts messages, whether they arrive or not.
	frames int
	ends   map[uint64][]consensus.Status // of requests and changes, by token
}

// end notes how a request ended.
func (e *env) end(token uint64, status consensus.Status) {
	if e.ends == nil {
		e.ends = make(map[uint64][]consensus.Status)
	}
	e.ends[token] = append(e.ends[token], status)
}

type member struct {
	id     world.MemberID
	core   *consensus.Core
	state  *state.State
	lone   []consensus.HardState // what was written without entries
	hard   consensus.HardState   // what was written last
	disk   []*consensus.Append   // handed out, not persisted
	manual bool                  // the script persists
}

type packet struct {
	from world.MemberID
	m    consensus.Message
	due  time.Duration // for slow links, once it is on one
}

const tick = 10 * time.Millisecond

func (e *env) add(id world.MemberID, founders []world.MemberID) error {
	var list []state.Member
	for _, f := range founders {
		list = append(list, state.Member{ID: f, Name: fmt.Sprintf("n%d", f)})
	}
	m := &member{id: id, state: state.Empty()}
	start := consensus.Start{}
	if len(list) > 0 {
		conf, err := consensus.FoundingConf(founders)
		if err != nil {
			return err
		}
		m.state = state.New(list)
		start = consensus.Start{Applied: 1, Term: 1, Conf: conf}
	}
	core, err := consensus.New(consensus.Config{
		ID: id, Incarnation: 1, HeartbeatTicks: 5, ElectionTicks: 25, RequestTimeout: 2 * time.Second, ResendAfter: 250 * time.Millisecond,
	}, start, func() state.Header { return state.Header{} })
	if err != nil {
		return err
	}
	m.core = core
	e.cores[id] = m
	e.order = append(e.order, id)
	return nil
}

// turn lets one member act on what it has.
func (e *env) turn(m *member) {
	for {
		o := m.core.Ready()
		if o.Idle() {
			break
		}
		e.frames += len(o.Messages)
		for _, a := range o.Appends {
			if len(a.Entries) == 0 {
				m.lone = append(m.lone, *a.Hard)
			}
			if a.Hard != nil {
				m.hard = *a.Hard
			}
		}
		for _, msg := range o.Messages {
			e.queue = append(e.queue, packet{from: m.id, m: msg})
		}
		for _, end := range o.Ended {
			e.logf("n%d: request %d %s: %s", m.id, end.Token, end.Status, end.Reason)
			e.end(end.Token, end.Status)
		}
		for _, to := range o.SnapshotsTo {
			e.logf("n%d: n%d needs a snapshot", m.id, to)
		}
		m.disk = append(m.disk, o.Appends...)
		if !m.manual {
			e.persist(m)
		}
		e.apply(m, o.Committed)
	}
	for _, token := range m.core.ReadsReady() {
		index, _ := m.state.Applied()
		e.logf("n%d: read %d may be served at applied %d", m.id, token, index)
	}
}

func (e *env) persist(m *member) {
	list := m.disk
	m.disk = nil
	for _, a := range list {
		if n := len(a.Entries); n > 0 {
			e.logf("n%d: persisted %d-%d", m.id, a.Entries[0].GetIndex(), a.Entries[n-1].GetIndex())
		}
		m.core.Persisted(a)
	}
}

func (e *env) apply(m *member, list []*raftpb.Entry) {
	for _, ent := range list {
		var results []state.Result
		if ent.GetType() == raftpb.EntryNormal {
			res, err := m.state.Apply(ent.GetIndex(), ent.GetTerm(), ent.GetData())
			if err != nil {
				e.logf("n%d: %v", m.id, err)
			}
			results = res
		} else {
			cc, data, err := consensus.ConfChange(ent)
			if err != nil {
				e.logf("n%d: %v", m.id, err)
				continue
			}
			res, changed, _ := m.state.ApplyMembers(ent.GetIndex(), ent.GetTerm(), data)
			if changed {
				m.core.ApplyConf(cc)
				e.logf("n%d: configuration at %d: voters %v", m.id, ent.GetIndex(), m.core.Voters())
			}
			results = []state.Result{res}
		}
		for _, r := range results {
			if token, ok := m.core.Settle(r.ID); ok {
				e.logf("n%d: request %d done at revision %d in entry %d", m.id, token, r.Revision, ent.GetIndex())
				status := consensus.Done
				if r.Repeated {
					status = consensus.Unknown
				}
				e.end(token, status)
			}
		}
	}
	if n := len(list); n > 0 {
		m.core.Applied(list[n-1].GetIndex())
	}
}

// settle turns members and delivers messages until nothing moves, and nothing would
// if a moment passed: it lets pass what members wait for by themselves.
func (e *env) settle() {
	for {
		e.settleNow()
		at, waits := time.Duration(0), false
		for _, id := range e.order {
			if due, ok := e.cores[id].core.Due(); ok && (!waits || due < at) {
				at, waits = due, true
			}
		}
		if !waits {
			return
		}
		e.now = max(e.now, at)
		for _, id := range e.order {
			e.cores[id].core.SetTime(e.now)
		}
	}
}

// settleNow is settle without letting time pass.
func (e *env) settleNow() {
	for range 200 {
		for _, id := range e.order {
			e.turn(e.cores[id])
		}
		if len(e.queue) == 0 {
			return
		}
		list := e.queue
		e.queue = nil
		for _, p := range list {
			e.deliver(p)
		}
	}
	e.logf("still talking after 200 rounds")
}

// arrive queues what was slow and is due.
func (e *env) arrive() {
	var rest []packet
	for _, p := range e.later {
		if p.due <= e.now {
			e.queue = append(e.queue, p)
		} else {
			rest = append(rest, p)
		}
	}
	e.later = rest
}

// deliver carries a message over the wire encoding.
func (e *env) deliver(p packet) {
	to := e.cores[p.m.To]
	way := [2]world.MemberID{p.from, p.m.To}
	if to == nil || e.cut[way] {
		return
	}
	if d := e.slow[way]; d > 0 && p.due == 0 {
		p.due = e.now + d
		e.later = append(e.later, p)
		return
	}
	f := &wire.Frame{From: p.from, To: p.m.To, Forward: p.m.Forward, Refuse: p.m.Refuse}
	switch {
	case p.m.Raft != nil:
		f.Kind, f.Raft = wire.KindRaft, []*raftpb.Message{p.m.Raft}
	case p.m.Forward != nil:
		f.Kind = wire.KindForward
	default:
		f.Kind = wire.KindRefuse
	}
	got, err := wire.Decode(f.Encode())
	if err != nil {
		e.logf("frame: %v", err)
		return
	}
	switch got.Kind {
	case wire.KindRaft:
		if !e.quiet {
			e.logf("  %s", raft.DescribeMessage(got.Raft[0], func(b []byte) string { return fmt.Sprintf("%dB", len(b)) }))
		}
		err = to.core.Receive(got.Raft[0])
	case wire.KindForward:
		e.logf("  n%d forwards to n%d", p.from, p.m.To)
		err = to.core.ReceiveForward(p.from, got.Forward)
	case wire.KindRefuse:
		e.logf("  n%d refuses n%d: %s", p.from, p.m.To, got.Refuse.Reason)
		to.core.ReceiveRefuse(p.from, got.Refuse)
	}
	if err != nil {
		e.logf("n%d: %v", p.m.To, err)
	}
}

func (e *env) logf(format string, args ...any) {
	fmt.Fprintf(&e.out, format+"\n", args...)
}

// status is one line a member: role, term, leader.
func (e *env) status() {
	for _, id := range e.order {
		lead, term := e.cores[id].core.Lead()
		index, _ := e.cores[id].state.Applied()
		e.logf("n%d: %s term %d leader n%d applied %d", id, e.cores[id].core.Role(), term, lead, index)
	}
}

// run carries out one command of a script.
func (e *env) run(t *testing.T, d *datadriven.TestData) {
	ids := func(key string) []world.MemberID {
		var list []world.MemberID
		for _, a := range d.CmdArgs {
			if a.Key != key {
				continue
			}
			for _, v := range a.Vals {
				var n uint64
				if _, err := fmt.Sscanf(v, "n%d", &n); err != nil {
					t.Fatalf("%s: %q is no member", d.Pos, v)
				}
				list = append(list, world.MemberID(n))
			}
		}
		return list
	}
	count := func(key string, n int) int {
		d.MaybeScanArgs(t, key, &n)
		return n
	}
	switch d.Cmd {
	case "cluster":
		for _, id := range ids("founders") {
			if err := e.add(id, ids("founders")); err != nil {
				t.Fatal(err)
			}
		}
	case "campaign":
		_ = e.cores[ids("who")[0]].core.Campaign()
		e.settle()
	case "tick":
		for range count("n", 1) {
			e.now += tick
			e.arrive()
			for _, id := range e.order {
				e.cores[id].core.Tick(e.now, 1)
			}
			e.settle()
		}
	case "propose":
		for range count("n", 1) {
			e.token++
			err := e.cores[ids("who")[0]].core.Propose(state.Command{Kind: state.KindKeys, Keys: keys.Command{Kind: keys.CreateInOrder, Path: "/q", Value: "v"}}, e.token)
			if err != nil {
				e.logf("request %d: %v", e.token, err)
			}
		}
		e.settle()
	case "read":
		for range count("n", 1) {
			e.token++
			if err := e.cores[ids("who")[0]].core.Read(e.token); err != nil {
				e.logf("read %d: %v", e.token, err)
			}
		}
		e.settle()
	case "change":
		e.token++
		var changes []state.MemberChange
		for kind, key := range []string{"", "add", "promote", "remove"} {
			for _, id := range ids(key) {
				changes = append(changes, state.MemberChange{Kind: state.ChangeKind(kind), Member: state.Member{ID: id, Name: fmt.Sprintf("n%d", id)}})
			}
		}
		if err := e.cores[ids("who")[0]].core.Propose(state.Command{Kind: state.KindMembers, Members: changes}, e.token); err != nil {
			e.logf("change %d: %v", e.token, err)
		}
		e.settle()
	case "cut":
		for _, a := range ids("from") {
			for _, b := range ids("to") {
				e.cut[[2]world.MemberID{a, b}], e.cut[[2]world.MemberID{b, a}] = true, true
			}
		}
	case "slow":
		for _, a := range ids("from") {
			for _, b := range ids("to") {
				e.slow[[2]world.MemberID{a, b}] = time.Duration(count("ticks", 1)) * tick
			}
		}
	case "heal":
		clear(e.cut)
		clear(e.slow)
	case "hold-disk":
		for _, id := range ids("who") {
			e.cores[id].manual = true
		}
	case "persist":
		for _, id := range ids("who") {
			e.cores[id].manual = false
			e.persist(e.cores[id])
		}
		e.settle()
	case "transfer":
		if err := e.cores[ids("who")[0]].core.TransferTo(ids("to")[0]); err != nil {
			e.logf("transfer: %v", err)
		}
		e.settle()
	case "compact":
		m := e.cores[ids("who")[0]]
		index, _ := m.state.Applied()
		upTo, err := m.core.Compact(index, uint64(count("keep", 0)), 1<<20, m.core.Conf())
		e.logf("n%d: checkpoint %d, log gone up to %d, error %v", m.id, index, upTo, err)
	case "status":
		e.status()
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		saved := cryptorand.Reader
		defer func() { cryptorand.Reader = saved }()
		cryptorand.Reader = rand.NewChaCha8([32]byte{7})
		e := &env{cores: make(map[world.MemberID]*member), cut: make(map[[2]world.MemberID]bool), slow: make(map[[2]world.MemberID]time.Duration)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			e.out.Reset()
			e.quiet = !d.HasArg("verbose")
			e.run(t, d)
			if e.out.Len() == 0 {
				return "ok\n"
			}
			return e.out.String()
		})
	})
}
