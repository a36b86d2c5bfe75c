package dashboard

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

const (
	// kept is how many samples a chart shows.
	kept = 120
	// silence is how long a member must not have been heard for it to be called
	// silent. A leader forgets whom it has heard at every election timeout.
	silence = 3 * time.Second
	// again is when a member that seems silent is looked for once more, so that
	// looking and forgetting don't keep step.
	again = 70 * time.Millisecond
)

// sample is what a member told of itself at one moment.
type sample struct {
	at time.Time
	// view is nil before the member has said anything.
	view  *node.View
	stats keys.Stats
	// progress is of the others by id, if the member leads. Its Active says
	// whether it was heard within silence.
	progress map[world.MemberID]consensus.Progress
	// links is nil if nothing is known of them.
	links map[world.MemberID]Link
	// stopped is why the member no longer answers.
	stopped error
}

// writes counts the writes that were applied, on whichever member they came in.
func (s *sample) writes() uint64 {
	c := &s.stats
	return c.SetsSuccess + c.SetsFail + c.CreateSuccess + c.CreateFail + c.UpdateSuccess + c.UpdateFail +
		c.DeleteSuccess + c.DeleteFail + c.CompareAndSwapSuccess + c.CompareAndSwapFail +
		c.CompareAndDeleteSuccess + c.CompareAndDeleteFail
}

// reads counts those of this member.
func (s *sample) reads() uint64 { return s.stats.GetsSuccess + s.stats.GetsFail }

// feed looks at a member again and again and keeps what it saw.
type feed struct {
	h     member
	links Links
	every time.Duration
	// heard is when each other member was last known to be active. Only run
	// touches it.
	heard map[world.MemberID]time.Time

	mu      sync.Mutex
	samples []sample
	// next is closed when there is another sample.
	next chan struct{}
}

// newFeed looks once, so that there is something to show.
func newFeed(h member, links Links, every time.Duration) *feed {
	f := &feed{h: h, links: links, every: every, heard: make(map[world.MemberID]time.Time), next: make(chan struct{})}
	f.keep(f.look())
	return f
}

// run looks until the member stops, and once more.
func (f *feed) run() {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.keep(f.look())
		case <-f.h.Done():
			f.keep(f.look())
			return
		}
	}
}

func (f *feed) look() sample {
	s := f.glance()
	for try := 0; try < 2 && f.missing(&s); try++ {
		select {
		case <-time.After(again):
		case <-f.h.Done():
			return s
		}
		s = f.glance()
	}
	for id, p := range s.progress {
		p.Active = s.at.Sub(f.heard[id]) < silence
		s.progress[id] = p
	}
	return s
}

// glance looks once.
func (f *feed) glance() sample {
	s := sample{at: time.Now()}
	var progress []consensus.Progress
	err := f.h.Look(func(n *node.Node) {
		view := n.View()
		slices.SortFunc(view.Members, byName)
		s.view, s.stats, progress = &view, n.State().Keys().Stats(), n.Progress()
	})
	select {
	case <-f.h.Done():
		if s.stopped = f.h.Err(); s.stopped == nil {
			s.stopped = err
		}
	default:
	}
	if f.links != nil {
		s.links = make(map[world.MemberID]Link)
		for _, l := range f.links.Links() {
			s.links[l.Peer] = l
		}
	}
	s.progress = make(map[world.MemberID]consensus.Progress, len(progress))
	for _, p := range progress {
		s.progress[p.ID] = p
		if p.Active {
			f.heard[p.ID] = s.at
		}
	}
	return s
}

// byName is the order in which people look for members.
func byName(a, b state.Member) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

// missing says whether a member that was heard before is not now.
func (f *feed) missing(s *sample) bool {
	for _, p := range s.progress {
		if !p.Active {
			return true
		}
	}
	return false
}

func (f *feed) keep(s sample) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.samples); s.view == nil && n > 0 {
		// What it said last is still worth showing.
		s.view, s.stats = f.samples[n-1].view, f.samples[n-1].stats
	}
	if len(f.samples) == kept {
		copy(f.samples, f.samples[1:])
		f.samples = f.samples[:kept-1]
	}
	f.samples = append(f.samples, s)
	close(f.next)
	f.next = make(chan struct{})
}

// last returns the newest sample; a zero one before the first.
func (f *feed) last() sample {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.samples) == 0 {
		return sample{}
	}
	return f.samples[len(f.samples)-1]
}

// all returns the samples, oldest first, and what is closed when there is
// another. Nobody alters a sample that is kept.
func (f *feed) all() ([]sample, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sample(nil), f.samples...), f.next
}
