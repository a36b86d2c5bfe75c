package disk_test

import (
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/disk"
)

// errPower is what a disk says after its power went.
var errPower = errors.New("power is gone")

// supply is a disk whose power goes after a number of operations that change
// it; a negative number never goes.
type supply struct {
	*disk.Disk
	left int
}

func (s *supply) spend() error {
	if s.left == 0 {
		return errPower
	}
	s.left--
	return nil
}

func (s *supply) file(f world.File, err error) (world.File, error) {
	if err != nil {
		return nil, err
	}
	return &suppliedFile{f, s}, nil
}

func (s *supply) Create(name string) (world.File, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	return s.file(s.Disk.Create(name))
}

func (s *supply) Open(name string) (world.File, error) { return s.file(s.Disk.Open(name)) }

func (s *supply) Rename(from, to string) error {
	return errors.Join(s.spend(), s.unless(func() error { return s.Disk.Rename(from, to) }))
}

func (s *supply) Remove(name string) error {
	return errors.Join(s.spend(), s.unless(func() error { return s.Disk.Remove(name) }))
}

func (s *supply) MkdirAll(dir string) error {
	return errors.Join(s.spend(), s.unless(func() error { return s.Disk.MkdirAll(dir) }))
}

func (s *supply) SyncDir(dir string) error {
	return errors.Join(s.spend(), s.unless(func() error { return s.Disk.SyncDir(dir) }))
}

// unless does it while there is power. The operation that takes the last of it
// is the last one done.
func (s *supply) unless(do func() error) error {
	if s.left == 0 {
		return errPower
	}
	return do()
}

func (s *supply) BoltPath(name string) (string, func(string, int, os.FileMode) (*os.File, error), func() error, error) {
	if err := s.spend(); err != nil {
		return "", nil, nil, err
	}
	return s.Disk.BoltPath(name)
}

type suppliedFile struct {
	world.File
	s *supply
}

func (f *suppliedFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.s.spend(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f *suppliedFile) Truncate(size int64) error {
	return errors.Join(f.s.spend(), f.s.unless(func() error { return f.File.Truncate(size) }))
}

func (f *suppliedFile) Sync() error {
	return errors.Join(f.s.spend(), f.s.unless(f.File.Sync))
}

// rig is a few nodes, stepped by hand: jobs are done when their lane is open,
// frames are carried when their link is, and time goes by ticks.
type rig struct {
	t      *testing.T
	now    time.Duration
	hosts  []*host
	queue  []node.Send
	cut    map[world.MemberID]bool
	tokens uint64
	bulk   int // size of the largest frame
	token  map[uint64]node.Answer
	news   []node.WatchNews
}

type host struct {
	r      *rig
	cfg    node.Config
	disk   *supply
	n      *node.Node
	closed [world.NumLanes]bool
	jobs   [world.NumLanes][]node.Submit
	done   []node.Input
	most   int          // entries that one step applied
	last   node.Effects // of the last step that halted
	leads  bool
	seen   node.Role
}

func newRig(t *testing.T) *rig {
	saved := cryptorand.Reader
	cryptorand.Reader = rand.NewChaCha8([32]byte{3})
	t.Cleanup(func() { cryptorand.Reader = saved })
	return &rig{t: t, cut: map[world.MemberID]bool{}, token: map[uint64]node.Answer{}}
}

func config(id world.MemberID) node.Config {
	return node.Config{Cluster: 9, ID: id, SegmentBytes: 64 << 10, Tick: 10 * time.Millisecond}
}

func members(ids ...world.MemberID) []state.Member {
	var list []state.Member
	for _, id := range ids {
		list = append(list, state.Member{ID: id, Name: fmt.Sprintf("n%d", id)})
	}
	return list
}

// found adds founders; tune changes their configuration.
func (r *rig) found(tune func(*node.Config), ids ...world.MemberID) {
	r.t.Helper()
	for _, id := range ids {
		h := r.add(id, tune)
		if err := node.Found(h.disk, h.cfg, checkpoint.Store{}, members(ids...)); err != nil {
			r.t.Fatal(err)
		}
		h.boot()
	}
}

func (r *rig) add(id world.MemberID, tune func(*node.Config)) *host {
	h := &host{r: r, cfg: config(id), disk: &supply{disk.New(), -1}}
	if tune != nil {
		tune(&h.cfg)
	}
	r.hosts = append(r.hosts, h)
	return h
}

func (r *rig) instant() world.Instant { return world.Instant{Mono: r.now, Wall: int64(r.now) + 1} }

func (h *host) boot() {
	h.r.t.Helper()
	n, err := node.Boot(h.disk, h.cfg, checkpoint.Store{}, h.r.instant())
	if err != nil {
		h.r.t.Fatal(err)
	}
	h.n = n
	h.step(node.Tick{})
}

// crash cuts the power; what was not synced may be gone.
func (h *host) crash(seed uint64) {
	h.disk.Disk.Crash(rand.New(rand.NewPCG(seed, 1)), disk.CrashOptions{LoseUnsynced: true, Torn: true})
	h.disk.left = -1
	h.n, h.done, h.leads = nil, nil, false
	h.jobs = [world.NumLanes][]node.Submit{}
}

// step gives the node inputs and takes what it asks for.
func (h *host) step(inputs ...node.Input) *node.Effects {
	if h.n == nil {
		return nil
	}
	fx := h.n.Step(h.r.instant(), inputs...)
	h.most = max(h.most, len(fx.Applied))
	if fx.Halt != nil {
		h.last, h.n, h.leads = *fx, nil, false
		return fx
	}
	for _, s := range fx.Jobs {
		h.jobs[s.Job.Lane] = append(h.jobs[s.Job.Lane], s)
	}
	for _, s := range fx.Sends {
		h.r.bulk = max(h.r.bulk, len(s.Frame))
		if !h.r.cut[s.To] && !h.r.cut[h.cfg.ID] {
			h.r.queue = append(h.r.queue, s)
		}
	}
	for _, a := range fx.Answers {
		if _, twice := h.r.token[a.Token]; twice {
			h.r.t.Errorf("request %d was answered twice", a.Token)
		}
		h.r.token[a.Token] = a
	}
	h.r.news = append(h.r.news, fx.Watches...)
	if fx.Role != nil {
		h.leads, h.seen = fx.Role.Leader, *fx.Role
	}
	return fx
}

// work does one job of each open lane and reports whether there was one.
func (h *host) work() (busy bool) {
	for lane := range h.jobs {
		if h.closed[lane] || len(h.jobs[lane]) == 0 || h.n == nil {
			continue
		}
		s := h.jobs[lane][0]
		h.jobs[lane] = h.jobs[lane][1:]
		err := s.Job.Run(h.disk)
		if err == nil && s.Job.Sync != nil {
			err = s.Job.Sync(h.disk)
		}
		h.step(node.JobDone{ID: s.ID, Err: err})
		busy = true
	}
	return busy
}

// settle carries frames and does jobs until nothing moves.
func (r *rig) settle() {
	r.t.Helper()
	for range 10000 {
		busy := len(r.queue) > 0
		for _, h := range r.hosts {
			busy = h.work() || busy
		}
		list := r.queue
		r.queue = nil
		for _, s := range list {
			for _, h := range r.hosts {
				if h.cfg.ID == s.To {
					h.step(node.Received{Frame: s.Frame})
				}
			}
		}
		if !busy {
			return
		}
	}
	r.t.Fatal("never comes to rest")
}

func (r *rig) ticks(n int) {
	r.t.Helper()
	for range n {
		r.now += 10 * time.Millisecond
		for _, h := range r.hosts {
			h.step(node.Tick{})
		}
		r.settle()
	}
}

// until ticks until ok, for at most 20 seconds.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		r.ticks(1)
	}
	r.t.Fatalf("20s passed without %s", what)
}

func (r *rig) leader() *host {
	r.t.Helper()
	var lead *host
	r.until("a leader", func() bool {
		for _, h := range r.hosts {
			if h.n != nil && h.leads && !r.cut[h.cfg.ID] {
				lead = h
			}
		}
		return lead != nil
	})
	return lead
}

// ask gives a request and returns its token.
func (h *host) ask(call api.Call) uint64 {
	h.r.tokens++
	h.step(node.Request{Token: h.r.tokens, Call: &call})
	return h.r.tokens
}

func setCall(path, value string) api.Call {
	return api.Call{Kind: api.Write, Path: path, Write: keys.Command{Kind: keys.Set, Path: path, Value: value}}
}

// put writes and waits for done.
func (h *host) put(path, value string) {
	h.r.t.Helper()
	token := h.ask(setCall(path, value))
	h.r.until("an answer", func() bool { _, ok := h.r.token[token]; return ok })
	if a := h.r.token[token]; a.Status != consensus.Done || a.Err != nil {
		h.r.t.Fatalf("put %s: %v %s %v", path, a.Status, a.Reason, a.Err)
	}
}

// value reads what this member holds, stale or not.
func (h *host) value(path string) string {
	ev, err := h.n.State().Keys().Get(path, false, false, keys.Stamp{})
	if err != nil {
		return ""
	}
	return ev.Node.Value
}

func (h *host) applied() uint64 {
	if h.n == nil {
		return 0
	}
	index, _ := h.n.State().Applied()
	return index
}

func frame(f wire.Frame) node.Received { return node.Received{Frame: f.Encode()} }
