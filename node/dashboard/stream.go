package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// pulse is how often a stream that has nothing to tell shows that it is alive.
const pulse = 15 * time.Second

// stream sends server-sent events (HTML standard, "Server-sent events") to one
// page.
type stream struct {
	w http.ResponseWriter
	c *http.ResponseController
	// ctx is over when the reader has gone or the member stops.
	ctx context.Context
	end func()
	d   *dashboard
	// begun says that the head is out.
	begun bool
}

// openStream takes a place for a stream. If none is free it answers so.
func (d *dashboard) openStream(w http.ResponseWriter, r *http.Request) (*stream, bool) {
	if d.streams.Add(1) > int64(d.o.Streams) {
		d.streams.Add(-1)
		w.Header().Set("Retry-After", "30")
		why := fmt.Sprintf("more than %d pages are being kept current; close some, or reload this one by hand", d.o.Streams)
		http.Error(w, why, http.StatusServiceUnavailable)
		return nil, false
	}
	if r.Method == http.MethodHead {
		d.streams.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream")
		return nil, false
	}
	s := &stream{w: w, c: http.NewResponseController(w), d: d}
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(r.Context())
	stopped := func() bool { return true }
	if d.o.Stop != nil {
		stopped = context.AfterFunc(d.o.Stop, cancel)
	}
	s.end = func() {
		stopped()
		cancel()
		d.streams.Add(-1)
	}
	return s, true
}

func (s *stream) close() { s.end() }

// refuse answers a stream that could not begin; a browser doesn't try again.
func (s *stream) refuse(p *problem) {
	if p.Login {
		challenge(s.w)
	}
	http.Error(s.w, p.Title+". "+p.Text, p.Status)
}

// send sends an event and says whether the reader is still there. An id other
// than 0 is what the reader names when it comes back.
func (s *stream) send(event string, id uint64, data []byte) bool {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", event)
	if id != 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	data = bytes.ReplaceAll(data, []byte("\r"), nil)
	for line := range bytes.SplitSeq(bytes.TrimSpace(data), []byte("\n")) {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	b.WriteByte('\n')
	return s.write(b.Bytes())
}

// beat sends a comment, by which either side learns that the other has gone.
func (s *stream) beat() bool { return s.write([]byte(":\n\n")) }

func (s *stream) write(b []byte) bool {
	if !s.begun {
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.WriteHeader(http.StatusOK)
		s.begun = true
	}
	// A server under test may not know deadlines; then there is none.
	_ = s.c.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := s.w.Write(b); err != nil {
		return false
	}
	return s.c.Flush() == nil
}

// piece renders a part of a page.
func piece(page, name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := pages[page].ExecuteTemplate(&b, name, data)
	return b.Bytes(), err
}

// liveCache holds what of the first page changes, as it is now: all who read it
// read the same.
type liveCache struct {
	mu sync.Mutex
	of time.Time
	b  []byte
}

func (c *liveCache) render(d *dashboard, samples []sample) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := samples[len(samples)-1].at
	if c.of.Equal(at) {
		return c.b, nil
	}
	b, err := piece("overview", "live", d.summarize(samples))
	if err == nil {
		c.of, c.b = at, b
	}
	return b, err
}

// overviewStream keeps the first page current.
func (d *dashboard) overviewStream(w http.ResponseWriter, r *http.Request) {
	s, ok := d.openStream(w, r)
	if !ok {
		return
	}
	defer s.close()
	for {
		samples, next := d.feed.all()
		b, err := d.live.render(d, samples)
		if err != nil {
			d.o.Log.Error("dashboard: cannot render the overview", "err", err)
			return
		}
		if !s.send("live", 0, b) {
			return
		}
		if samples[len(samples)-1].stopped != nil {
			return
		}
		select {
		case <-next:
		case <-s.ctx.Done():
			return
		}
	}
}
