package sim

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/chaos"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/disk"
	"drydock/sim/history"
)

// newest is the release that healing brings a machine to: its own, where
// nobody's release is the run's matter.
func (m *machine) newest() state.Release {
	if m.w.cfg.Upgrades {
		return state.Newest
	}
	return m.release
}

// outdated says whether a node stopped because its release is too old, which
// only an older one may.
func (m *machine) outdated(err error) bool {
	return errors.Is(err, state.ErrRelease) && m.release < state.Newest
}

// born records that a node begins a life, as some release; buried, that it has
// ended.
func (m *machine) born() {
	m.buried()
	m.w.result.Lives = append(m.w.result.Lives, history.Life{Time: int64(m.w.now()), Node: m.name, Release: uint64(m.release)})
	m.living = len(m.w.result.Lives)
}

func (m *machine) buried() {
	if m.living > 0 {
		m.w.result.Lives[m.living-1].End = int64(m.w.now())
		m.living = 0
	}
}

// release is the cluster's release, as the newest state that could be asked
// knows it.
func (w *World) release() state.Release {
	if m := w.newest(); m != nil {
		w.released = max(w.released, m.node.State().Release())
	}
	return max(w.released, state.Release1)
}

// upgrade brings nodes back as another release: the process is killed, and the
// other program started on the disk. A node that is down starts, too.
func (t target) upgrade(nodes []string, p *chaos.Upgrade) (func(), string, error) {
	to := state.Release(p.To)
	if cluster := t.w.release(); to < cluster && !p.Force {
		return nil, "", fmt.Errorf("%w: the cluster is at release %d", chaos.ErrNoEffect, cluster)
	}
	hit := 0
	for _, name := range nodes {
		m := t.w.byName[name]
		if m.status == outside || m.release == to {
			continue
		}
		hit++
		m.release = to
		if m.alive() || m.status == booting {
			t.w.referee.leaderGone(m)
			m.crash(disk.CrashOptions{})
		}
		m.seeTo()
	}
	if hit == 0 {
		return nil, "", fmt.Errorf("%w: at release %d already", chaos.ErrNoEffect, p.To)
	}
	return nil, "", nil
}

// proposed reads what leads to a raise of the cluster's release: the first
// message with which a leader sends an entry that holds one. It looks while
// some release is older than the newest, since reading costs.
func (f *referee) proposed(from *machine, b []byte) {
	if f.w.released >= state.Newest || wire.Kind(b[2]) != wire.KindRaft {
		return
	}
	fr, err := wire.Decode(b)
	if err != nil {
		return // the referee says so elsewhere
	}
	for _, m := range fr.Raft {
		for _, e := range m.GetEntries() {
			if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
				continue
			}
			batch, err := state.DecodeBatch(e.GetData())
			if err != nil {
				continue
			}
			for i := range batch.Commands {
				if c := &batch.Commands[i]; c.Kind == state.KindRelease {
					f.raises(from, e, uint64(c.Raise.Release))
				}
			}
		}
	}
}

func (f *referee) raises(from *machine, e *raftpb.Entry, to uint64) {
	seen := slices.ContainsFunc(f.r.Raises, func(r history.Raise) bool { return r.Entry == e.GetIndex() && r.Term == e.GetTerm() })
	if !seen {
		f.r.Raises = append(f.r.Raises, history.Raise{
			Time: f.now(), Node: from.name, Entry: e.GetIndex(), Term: e.GetTerm(), Release: to,
		})
	}
}

// raised looks whether a member has applied a raise that is news.
func (f *referee) raised(m *machine) {
	if f.w.released >= state.Newest || m.node == nil {
		return
	}
	if r := m.node.State().Release(); r > f.w.released {
		f.w.released = r
		if r > state.Release1 && f.w.cfg.Upgrades {
			f.note("", fmt.Sprintf("the cluster is at release %d", r), MarkInfo)
		}
	}
}

// later replays a command that came with a release after the first, and says
// what the cluster's release is then, and who was published.
func (t *truth) later(e *history.Committed, c *state.Command, term uint64) {
	if since := c.Kind.Since(); since > state.Release1 {
		e.Needs = uint64(since)
	}
	if c.Kind == state.KindRelease {
		e.Asks = uint64(c.Raise.Release)
	}
	if e.Repeat {
		return
	}
	switch c.Kind {
	case state.KindRelease:
		var members []world.MemberID
		// any order: sorted below
		for id := range t.voters {
			members = append(members, id)
		}
		slices.Sort(members)
		if c.Raise.Release > t.release && c.Raise.Term == term && slices.Equal(members, c.Raise.Voices) {
			t.release = c.Raise.Release
			e.Release = uint64(t.release)
		}
	case state.KindPublish:
		if _, known := t.voters[c.Publish.ID]; known && t.release >= state.Release2 {
			e.Member = t.w.memberName(c.Publish.ID)
		}
	}
}
