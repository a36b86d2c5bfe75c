package consensus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
)

// cores are members that one goroutine steps in turn. What they send goes through
// package wire.
type cores struct {
	list   []*consensus.Core
	states []*state.State // nil: entries are not applied to anything
	logs   *coreLogs      // nil: writing takes no time
	term   uint64         // of the entries
	at     []uint64       // the index that each has applied
	seen   []int          // bytes of entries that each has applied
	kept   int            // bytes of the leader's entries since the last compaction
	queue  []consensus.Message
	frame  wire.Frame
	seq    uint64 // of the leader's last command that was answered
	frames int
	sent   int
	now    time.Duration
}

// newCores makes members of which the first leads.
func newCores(n int, apply bool, logs *coreLogs) (*cores, error) {
	l := &cores{at: make([]uint64, n), seen: make([]int, n), logs: logs}
	var ids []world.MemberID
	var members []state.Member
	for i := range n {
		ids = append(ids, world.MemberID(i+1))
		members = append(members, state.Member{ID: world.MemberID(i + 1)})
	}
	conf, err := consensus.FoundingConf(ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		cfg := consensus.Config{ID: id, Incarnation: 1, HeartbeatTicks: 5, ElectionTicks: 25}
		core, err := consensus.New(cfg, consensus.Start{Applied: 1, Term: 1, Conf: conf}, func() state.Header { return state.Header{} })
		if err != nil {
			return nil, err
		}
		l.list, l.at[i] = append(l.list, core), 1
		if apply {
			l.states = append(l.states, state.New(members))
		}
	}
	if err := l.list[0].Campaign(); err != nil {
		return nil, err
	}
	if err := l.settle(); err != nil {
		return nil, err
	}
	if !l.list[0].IsLeader() {
		return nil, errors.New("the first member was not elected")
	}
	return l, l.agree()
}

// settle steps the members until none has anything to do.
func (l *cores) settle() error {
	for busy := true; busy; {
		busy = false
		for i := range l.list {
			worked, err := l.step(i)
			if err != nil {
				return err
			}
			busy = busy || worked
		}
		for i := range l.queue {
			if err := l.deliver(&l.queue[i]); err != nil {
				return err
			}
		}
		clear(l.queue)
		l.queue = l.queue[:0]
		if !busy && l.logs != nil && l.logs.pending > 0 {
			if err := l.persisted(); err != nil {
				return err
			}
			busy = true
		}
	}
	return nil
}

// persisted waits for a log and tells its member.
func (l *cores) persisted() error {
	j, err := l.logs.wait()
	if err == nil && j.append != nil {
		l.list[j.member].Persisted(j.append)
	}
	return err
}

// step carries out all that one member asks for.
func (l *cores) step(i int) (worked bool, err error) {
	c := l.list[i]
	for {
		o := c.Ready()
		if o.Idle() {
			return worked, nil
		}
		worked = true
		l.queue = append(l.queue, o.Messages...)
		for _, a := range o.Appends {
			if l.logs == nil {
				c.Persisted(a)
			} else {
				l.logs.submit(coreJob{member: i, append: a})
			}
		}
		for _, e := range o.Committed {
			if err := l.apply(i, e); err != nil {
				return true, err
			}
		}
		if n := len(o.Committed); n > 0 {
			l.at[i] = o.Committed[n-1].GetIndex()
			c.Applied(l.at[i])
		}
	}
}

func (l *cores) apply(i int, e *raftpb.Entry) error {
	l.seen[i] += len(e.GetData())
	l.term = e.GetTerm()
	if i == 0 {
		l.kept += len(e.GetData())
	}
	if l.states == nil {
		return nil
	}
	results, err := l.states[i].Apply(e.GetIndex(), e.GetTerm(), e.GetData())
	if err != nil {
		return err
	}
	for k := range results {
		if results[k].Err != nil || results[k].Refusal != nil {
			return fmt.Errorf("a command was refused: %v, %v", results[k].Err, results[k].Refusal)
		}
	}
	return nil
}

func (l *cores) deliver(m *consensus.Message) error {
	l.frame = wire.Frame{Kind: wire.KindRaft, To: m.To, Raft: append(l.frame.Raft[:0], m.Raft)}
	b := l.frame.Encode()
	l.frames, l.sent = l.frames+1, l.sent+len(b)
	f, err := wire.Decode(b)
	if err != nil {
		return err
	}
	return l.list[m.To-1].Receive(f.Raft[0])
}

// batch commits n commands and answers them. The other members apply them when the
// next batch tells them to.
func (l *cores) batch(list []state.Command, n int) error {
	lead, before := l.list[0], l.seen[0]
	for i := range n {
		if err := lead.Propose(list[(l.seq+uint64(i))%numKeys], 1); err != nil {
			return err
		}
	}
	if err := l.settle(); err != nil {
		return err
	}
	if got, want := l.seen[0]-before, n*len(list[0].Keys.Value); got < want {
		return fmt.Errorf("member 1 has applied %d bytes of a batch of at least %d", got, want)
	}
	for i := range l.seen {
		if l.seen[i] < before {
			return fmt.Errorf("member %d has applied %d bytes of %d", i+1, l.seen[i], before)
		}
	}
	for range n {
		l.seq++
		if _, ok := lead.Settle(state.ID{Member: 1, Incarnation: 1, Seq: l.seq}); !ok {
			return fmt.Errorf("command %d was not under way", l.seq)
		}
	}
	return l.compact()
}

// agree lets a moment pass, in which all members learn what is committed, and says
// whether all have applied the same.
func (l *cores) agree() error {
	l.now += time.Second
	for _, c := range l.list {
		c.SetTime(l.now)
	}
	if err := l.settle(); err != nil {
		return err
	}
	for i := range l.seen {
		if l.seen[i] != l.seen[0] || l.at[i] != l.at[0] {
			return fmt.Errorf("member %d has applied %d bytes up to %d, the first %d up to %d", i+1, l.seen[i], l.at[i], l.seen[0], l.at[0])
		}
	}
	return nil
}

// compact forgets what a checkpoint would have covered.
func (l *cores) compact() error {
	const keepBytes, keepEntries = 16 << 20, 10
	if l.kept < keepBytes {
		return nil
	}
	l.kept = 0
	for _, st := range l.states {
		st.DrainDirty()
	}
	for i, c := range l.list {
		if _, err := c.Compact(l.at[i], keepEntries, keepBytes/16, c.Conf()); err != nil {
			return err
		}
		if l.logs != nil {
			l.logs.submit(coreJob{member: i, marker: &wal.Marker{Index: l.at[i] - keepEntries, Term: l.term}})
		}
	}
	return nil
}

// numKeys is how many keys the commands go round.
const numKeys = 1000

func commands(value int) []state.Command {
	list := make([]state.Command, numKeys)
	text := strings.Repeat("v", value)
	for i := range list {
		list[i] = state.Command{Kind: state.KindKeys, Keys: keys.Command{Kind: keys.Set, Path: keyPath(i), Value: text}}
	}
	return list
}

// measureCore runs one round of core or apply.
func (r *Run) measureCore(ctx context.Context, c Case) (s Sample, err error) {
	s.Pressure = pressure()
	var logs *coreLogs
	if c.Storage == Disk {
		if logs, err = openCoreLogs(r.Dir, c.Members, r.segment); err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, logs.close()) }()
	}
	l, err := newCores(c.Members, c.Work == Apply, logs)
	if err != nil {
		return s, err
	}
	if err := l.measure(ctx, c, r.Times, &s); err != nil {
		return s, err
	}
	if logs == nil {
		return s, nil
	}
	return s, s.plausible(c)
}

// measure commits batch after batch and fills in what they took.
func (l *cores) measure(ctx context.Context, c Case, t Times, s *Sample) error {
	list := commands(c.Value)
	latencies := hdrhistogram.New(int64(leastLatency), int64(mostLatency), digits)
	run := func(d time.Duration) (n int, err error) {
		for began := time.Now(); time.Since(began) < d; n += c.Depth {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			from := time.Now()
			if err := l.batch(list, c.Depth); err != nil {
				return n, err
			}
			_ = latencies.RecordValue(int64(min(max(time.Since(from), leastLatency), mostLatency)))
		}
		return n, nil
	}
	if _, err := run(t.Warm); err != nil {
		return err
	}
	latencies.Reset()
	frames, sent, syncs := l.frames, l.sent, l.syncs()
	from, err := readUsage()
	if err != nil {
		return err
	}
	n, err := run(t.Round)
	if err != nil {
		return err
	}
	to, err := readUsage()
	if err != nil {
		return err
	}
	frames, sent, syncs = l.frames-frames, l.sent-sent, l.syncs()-syncs
	if err := l.agree(); err != nil {
		return err
	}
	if err := s.fill(from, to, n); err != nil {
		return err
	}
	ops := float64(n)
	s.Frames, s.Sent, s.Syncs = float64(frames)/ops, float64(sent)/ops, float64(syncs)/ops
	s.P50, s.P99, s.P999 = micros(latencies, 50), micros(latencies, 99), micros(latencies, 99.9)
	return nil
}

func (l *cores) syncs() uint64 {
	if l.logs == nil {
		return 0
	}
	return l.logs.syncs.Load()
}
