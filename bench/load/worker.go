//go:build unix

package load

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes and patience of a worker.
const (
	firstBuffer = 4 << 10
	// beat is the longest that a worker waits without a look at the phase.
	beat = 20 * time.Millisecond
)

// conn is one connection, with at most one request open.
type conn struct {
	id, fd int
	buf    []byte
	have   int // bytes of the answer in buf
	// due is when the open request should have been sent; open says that there
	// is one.
	due  time.Duration
	open bool
}

// worker turns some of a run's connections, on a thread of its own.
type worker struct {
	*run
	poll    poller
	conns   []*conn // by position; ids are position*Workers+number
	free    []*conn // open loop: without a request
	waiting []*conn // closed loop: told to wait by the work
	request []byte
	ready   []int
	// next is when the next request is due, and every the time between two.
	next, every time.Duration

	ops, unanswered int64
	latency         *Latency
}

// work is a worker's whole life: it connects, reports so, waits for the start and
// runs until the run is over.
func work(r *run, number int, dialled func(), start <-chan struct{}) (_ *worker, err error) {
	runtime.LockOSThread() // and never unlocked: the thread ends with its settings
	w := &worker{run: r, latency: NewLatency()}
	defer func() { err = errors.Join(err, w.close()) }()
	err = w.connect(number)
	dialled()
	if err != nil {
		return w, err
	}
	<-start
	if r.Rate > 0 {
		w.every = time.Duration(float64(r.Workers) * float64(time.Second) / r.Rate)
		w.next = w.every * time.Duration(number) / time.Duration(r.Workers)
		w.free = append(w.free, w.conns...)
	} else {
		for _, c := range w.conns {
			if err := w.ask(c, w.now()); err != nil {
				return w, err
			}
		}
	}
	for w.phase.Load() != over {
		if err := w.turn(); err != nil {
			return w, err
		}
	}
	w.settle()
	return w, nil
}

func (w *worker) connect(number int) error {
	var err error
	if w.poll, err = newPoller((w.Conns + w.Workers - 1) / w.Workers); err != nil {
		return err
	}
	for id := number; id < w.Conns; id += w.Workers {
		fd, err := dial(w.Addrs[id%len(w.Addrs)])
		if err != nil {
			return err
		}
		w.conns = append(w.conns, &conn{id: id, fd: fd, buf: make([]byte, firstBuffer)})
		if err := w.poll.add(fd, len(w.conns)-1); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) close() error {
	var errs []error
	for _, c := range w.conns {
		errs = append(errs, unix.Close(c.fd))
	}
	if w.poll != nil {
		errs = append(errs, w.poll.close())
	}
	return errors.Join(errs...)
}

// turn sends what is due and takes what has come.
func (w *worker) turn() error {
	patience := beat
	if w.every > 0 {
		now := w.now()
		for w.next <= now && len(w.free) > 0 {
			c := w.free[len(w.free)-1]
			w.free = w.free[:len(w.free)-1]
			due := w.next
			w.next += w.every
			if err := w.ask(c, due); err != nil {
				return err
			}
		}
		if len(w.free) > 0 {
			patience = min(beat, max(0, w.next-w.now()))
		}
	}
	var err error
	if w.ready, err = w.poll.wait(patience, w.ready); err != nil {
		return fmt.Errorf("poll: %w", err)
	}
	for _, i := range w.ready {
		if err := w.take(w.conns[i]); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a connection's next request.
func (w *worker) ask(c *conn, due time.Duration) error {
	w.request = w.Work.Append(w.request[:0], c.id, w.now())
	if len(w.request) == 0 {
		if w.every > 0 || w.Workers > 1 {
			return errors.New("work that lets connections wait is for a closed loop and one worker")
		}
		w.waiting = append(w.waiting, c)
		return nil
	}
	c.due, c.open, c.have = due, true, 0
	if err := send(c.fd, w.request); err != nil {
		return fmt.Errorf("send to %s: %w", w.Addrs[c.id%len(w.Addrs)], err)
	}
	return nil
}

// take reads from a connection that has something to read.
func (w *worker) take(c *conn) error {
	n, err := receive(c.fd, c.buf[c.have:])
	if err != nil || !c.open && n > 0 {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			err = fmt.Errorf("%w: %d bytes that were not asked for", ErrMalformed, n)
		}
		return fmt.Errorf("receive from %s: %w", w.Addrs[c.id%len(w.Addrs)], err)
	}
	c.have += n
	if n == 0 {
		return nil
	}
	a, size, err := Parse(c.buf[:c.have])
	if errors.Is(err, ErrShort) {
		if c.have == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		return nil
	}
	if err == nil && size != c.have {
		err = fmt.Errorf("%w: %d bytes after the answer", ErrMalformed, c.have-size)
	}
	if err == nil && a.Close {
		err = errors.New("it closes the connection, which should be kept")
	}
	if err != nil {
		return fmt.Errorf("answer of %s: %w", w.Addrs[c.id%len(w.Addrs)], err)
	}
	return w.answered(c, &a)
}

// answered counts an answer and goes on.
func (w *worker) answered(c *conn, a *Answer) error {
	now := w.now()
	v, err := w.Work.Judge(c.id, a)
	if err != nil {
		return err
	}
	c.open = false
	if !v.Silent {
		w.count(c.due, v.Since, now)
	}
	if w.every > 0 {
		w.free = append(w.free, c)
		return nil
	}
	if err := w.ask(c, now); err != nil {
		return err
	}
	if !v.Wake {
		return nil
	}
	woken := w.waiting
	w.waiting = nil
	for _, c := range woken {
		if err := w.ask(c, now); err != nil {
			return err
		}
	}
	return nil
}

// count adds an operation to what the window holds.
func (w *worker) count(due, since, now time.Duration) {
	if w.phase.Load() != counting {
		return
	}
	w.ops++
	if w.every > 0 && due < w.began {
		return
	}
	from := due
	if since > 0 {
		from = since
	}
	w.latency.Record(now - from)
}

// settle counts what an open loop's window leaves unanswered, with its age.
func (w *worker) settle() {
	if w.every == 0 || w.ended == 0 {
		return
	}
	late := func(due time.Duration) {
		if due >= w.began && due < w.ended {
			w.unanswered++
			w.latency.Record(w.ended - due)
		}
	}
	for _, c := range w.conns {
		if c.open {
			late(c.due)
		}
	}
	for ; w.next < w.ended; w.next += w.every {
		late(w.next)
	}
}
