package labworld

import (
	"context"
	"math/rand/v2"
	"time"

	"drydock/sim/stream"
)

// stage is the one goroutine on which the conductor works, and all that is written
// down of faults. It implements chaos.Host.
type stage struct {
	began time.Time
	work  chan func()
	ctx   context.Context // ends with the run
	rands map[string]*rand.Rand
	src   *stream.Source
	note  func(node, text string)
}

func newStage(ctx context.Context, began time.Time, seed uint64, note func(node, text string)) *stage {
	return &stage{
		began: began, work: make(chan func(), 1024), ctx: ctx, note: note,
		rands: map[string]*rand.Rand{}, src: stream.New(seed),
	}
}

// run carries out what is posted until a time has come or the run ends.
func (s *stage) run(until time.Duration) error {
	end := time.NewTimer(time.Until(s.began.Add(until)))
	defer end.Stop()
	for {
		select {
		case fn := <-s.work:
			fn()
		case <-end.C:
			return nil
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// post has fn called on the stage.
func (s *stage) post(fn func()) {
	select {
	case s.work <- fn:
	case <-s.ctx.Done():
	}
}

// now is the run's time.
func (s *stage) now() time.Duration { return time.Since(s.began) }

// After implements chaos.Host.
func (s *stage) After(d time.Duration, fn func()) {
	time.AfterFunc(d, func() { s.post(fn) })
}

// Rand implements chaos.Host.
func (s *stage) Rand(name string) *rand.Rand {
	if s.rands[name] == nil {
		s.rands[name] = s.src.Stream(name)
	}
	return s.rands[name]
}

// Note implements chaos.Host.
func (s *stage) Note(node, text string) { s.note(node, text) }
