package consensus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// member is one member of a cluster in this process.
type member struct {
	id    world.MemberID
	fs    world.FS
	store node.Store
	disk  *host.Disk // nil in memory
	link  *link
	syncs atomic.Uint64
	host  atomic.Pointer[host.Host]
}

// cluster is a few members in this process.
type cluster struct {
	c       Case
	timers  Timers
	segment int64  // bytes; 0 is the default
	dir     string // of all members; empty in memory
	members []*member
	wires   *wires
}

// Timers are a cluster's, as in node.Config.
type Timers struct{ Heartbeat, Election time.Duration }

// memorySegment is the size of log segments in memory: what is set aside for
// them counts.
const memorySegment = 16 << 20

// startWait bounds how long a cluster may take to elect and to agree.
const startWait = 30 * time.Second

// startCluster founds and starts the members of a case.
func (r *Run) startCluster(ctx context.Context, c Case) (cl *cluster, err error) {
	cl = &cluster{c: c, timers: r.Timers, segment: r.segment}
	defer func() {
		if err != nil {
			err = errors.Join(err, cl.close())
		}
	}()
	if c.Storage == Disk {
		if cl.dir, err = os.MkdirTemp(r.Dir, "drydock-bench-"); err != nil {
			return cl, fmt.Errorf("directory for the members: %w", err)
		}
	}
	var founders []state.Member
	for i := range c.Members {
		m := &member{id: world.MemberID(i + 1)}
		m.link = &link{m: m}
		cl.members = append(cl.members, m)
		founders = append(founders, state.Member{ID: m.id, Name: fmt.Sprintf("m%d", i+1)})
	}
	if c.Links == TCP {
		if cl.wires, err = linkTCP(cl.members); err != nil {
			return cl, err
		}
	} else {
		linkDirect(cl.members)
	}
	for _, m := range cl.members {
		if err = cl.found(m, founders); err != nil {
			return cl, err
		}
	}
	for _, m := range cl.members {
		if err = cl.start(m); err != nil {
			return cl, err
		}
	}
	return cl, cl.settle(ctx)
}

func (cl *cluster) config(m *member) node.Config {
	cfg := node.Config{
		Cluster: clusterID, ID: m.id, Name: fmt.Sprintf("m%d", m.id),
		Tick: cl.timers.Heartbeat, Heartbeat: cl.timers.Heartbeat, Election: cl.timers.Election,
	}
	if cl.c.Storage == Memory {
		cfg.SegmentBytes = memorySegment
	}
	if cl.segment > 0 {
		cfg.SegmentBytes = cl.segment
	}
	return cfg
}

// found prepares a member's files.
func (cl *cluster) found(m *member, founders []state.Member) error {
	if cl.c.Storage == Memory {
		m.fs, m.store = countedMemory{newMemory(), &m.syncs}, &memoryStore{}
	} else {
		disk, err := host.OpenDisk(filepath.Join(cl.dir, fmt.Sprintf("m%d", m.id)))
		if err != nil {
			return err
		}
		m.disk = disk
		m.fs, m.store = countedDisk{disk, &m.syncs}, checkpoint.Store{}
	}
	return node.Found(m.fs, cl.config(m), m.store, founders)
}

// start boots a member from its files.
func (cl *cluster) start(m *member) error {
	h, err := host.Start(m.fs, host.Options{Config: cl.config(m), Store: m.store, Peers: m.link})
	if err != nil {
		return fmt.Errorf("member %d: %w", m.id, err)
	}
	m.host.Store(h)
	m.link.cut.Store(false)
	return nil
}

// stop ends a member between two steps.
func (m *member) stop() error {
	h := m.host.Swap(nil)
	if h == nil {
		return nil
	}
	return h.Stop()
}

// leader returns who leads, or nil.
func (cl *cluster) leader() *member {
	var best *member
	var term uint64
	for _, m := range cl.members {
		if h := m.host.Load(); h != nil {
			if r := h.Leadership().Role; r.Leader && r.Term > term {
				best, term = m, r.Term
			}
		}
	}
	return best
}

// poll calls ready, now and then, until it says true.
func poll(ctx context.Context, what string, wait time.Duration, ready func() bool) error {
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	late := time.NewTimer(wait)
	defer late.Stop()
	for !ready() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("%s: not within %v", what, wait)
		}
	}
	return nil
}

// settle waits until there is a leader, a write is done, and all members are
// equal.
func (cl *cluster) settle(ctx context.Context) error {
	put := writeCall(0, "settled")
	err := poll(ctx, "election and first write", startWait, func() bool {
		m := cl.leader()
		return m != nil && m.host.Load().Do(ctx, &put).Status == consensus.Done
	})
	if err != nil {
		return err
	}
	return poll(ctx, "members that agree", startWait, func() bool { return cl.agree() == nil })
}

// agree says whether all members have applied the same and hold the same.
func (cl *cluster) agree() error {
	var index uint64
	var digest state.Digest
	for i, m := range cl.members {
		h := m.host.Load()
		if h == nil {
			return fmt.Errorf("member %d has stopped", m.id)
		}
		var at uint64
		var d state.Digest
		err := h.Look(func(n *node.Node) {
			at, _ = n.State().Applied()
			d, _ = n.State().DigestAt(at)
		})
		switch {
		case err != nil:
			return fmt.Errorf("member %d: %w", m.id, err)
		case i == 0:
			index, digest = at, d
		case at != index || d != digest:
			return fmt.Errorf("member %d is at %d with digest %x, member %d at %d with %x", m.id, at, d, cl.members[0].id, index, digest)
		}
	}
	return nil
}

// close stops everything and removes the files.
func (cl *cluster) close() error {
	var errs []error
	for _, m := range cl.members {
		errs = append(errs, m.stop())
	}
	if cl.wires != nil {
		cl.wires.close()
	}
	for _, m := range cl.members {
		if m.disk != nil {
			errs = append(errs, m.disk.Close())
		}
	}
	if cl.dir != "" {
		errs = append(errs, os.RemoveAll(cl.dir))
	}
	return errors.Join(errs...)
}

// totals are the counters of all members together, and the latest term.
type totals struct {
	frames, sent, syncs, term uint64
	// logged counts syncs as hosts time them, one for a group of appends, and
	// inSync is how long they took.
	logged uint64
	inSync time.Duration
}

func (cl *cluster) totals() (t totals) {
	for _, m := range cl.members {
		t.frames += m.link.frames.Load()
		t.sent += m.link.bytes.Load()
		t.syncs += m.syncs.Load()
		h := m.host.Load()
		if h == nil {
			continue
		}
		t.term = max(t.term, h.Leadership().Role.Term)
		d := h.LogSyncs()
		t.inSync += d.Sum
		for _, n := range d.Counts {
			t.logged += n
		}
	}
	return t
}

// keyPaths are the keys that commands go round, made once: they are no part of
// what is measured.
var keyPaths = sync.OnceValue(func() []string {
	list := make([]string, numKeys)
	for i := range list {
		list[i] = fmt.Sprintf("/bench/%d", i)
	}
	return list
})

func keyPath(i int) string { return keyPaths()[i%numKeys] }

func writeCall(key int, value string) api.Call {
	return api.Call{Kind: api.Write, Path: keyPath(key), Write: keys.Command{Kind: keys.Set, Path: keyPath(key), Value: value}}
}

func readCall(key int) api.Call {
	return api.Call{Kind: api.Read, Path: keyPath(key), Linearizable: true}
}
