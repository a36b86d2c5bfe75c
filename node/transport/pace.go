package transport

import "time"

// pacer holds a stream to a rate, and lets another's queue go first.
type pacer struct {
	rate  float64 // bytes a second
	first *queue
	free  time.Time // when what was spent is earned
}

// yield is how long one write gives way at most, so that a stream of messages
// that never rests doesn't keep a snapshot from ever arriving.
const yield = 20 * time.Millisecond

func newPacer(rate int, first *queue) *pacer { return &pacer{rate: float64(rate), first: first} }

// spend notes n bytes. A little may be spent ahead.
func (p *pacer) spend(n int) {
	now := time.Now()
	if p.free.Before(now.Add(-10 * time.Millisecond)) {
		p.free = now.Add(-10 * time.Millisecond)
	}
	p.free = p.free.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
}

// wait returns when the next write may be made; false when stop or broken is
// closed before.
func (p *pacer) wait(stop, broken <-chan struct{}) bool {
	limit := time.Now().Add(yield)
	for {
		now := time.Now()
		pause := p.free.Sub(now)
		if frames, _ := p.first.size(); frames > 0 && now.Before(limit) {
			pause = max(pause, time.Millisecond)
		}
		if pause <= 0 {
			return true
		}
		late := time.NewTimer(pause)
		select {
		case <-late.C:
		case <-stop:
			late.Stop()
			return false
		case <-broken:
			late.Stop()
			return false
		}
	}
}
