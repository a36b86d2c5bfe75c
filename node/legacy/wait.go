package legacy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"drydock/node/keys"
)

const (
	// noValue is what a lock without a value holds.
	noValue = "-"
	// takeAwayTimeout bounds the wait for the removal of a key whose client has
	// gone. If it fails, the ttl does it.
	takeAwayTimeout = 10 * time.Second
	// minRenewal is the shortest pause between two renewals of a waiter's ttl.
	minRenewal = 100 * time.Millisecond
)

// lockAcquire takes a place in the queue, or the one that the value has already,
// waits until it is the first and returns its index.
func (s *server) lockAcquire(r *http.Request, dir, value string) (string, error) {
	timeout, ok := seconds(r.Form.Get("timeout"))
	if !ok {
		return "", fail(codeTimeoutNaN, "Acquire", 0)
	}
	ttl, err := strconv.ParseUint(r.Form.Get("ttl"), 10, 64)
	if err != nil || ttl > maxTTL {
		return "", fail(keys.CodeTTLNaN, "Acquire", 0)
	}
	if s.waiters.Add(1) > s.most {
		s.waiters.Add(-1)
		return "", errWaiters
	}
	defer s.waiters.Add(-1)
	p := place{s: s, r: r, dir: dir, ttl: ttl}
	if err := p.enter(value); err != nil {
		return "", err
	}
	if err := p.wait(timeout); err != nil {
		if p.own {
			p.takeAway()
		}
		return "", err
	}
	return strconv.FormatUint(p.index, 10), nil
}

// place is a request's place in a lock's queue.
type place struct {
	s   *server
	r   *http.Request
	dir string
	ttl uint64 // seconds

	key   string
	index uint64
	own   bool // this request made the key
}

// enter finds the key that has the value, or makes one at the end of the queue.
func (p *place) enter(value string) error {
	if value != "" {
		list, _, err := p.s.queue(p.r.Context(), p.r, p.dir)
		if err != nil && !isCode(err, keys.CodeKeyNotFound) {
			return err
		}
		if i := slices.IndexFunc(list, func(t ticket) bool { return t.value == value }); i >= 0 {
			p.key, p.index = list[i].key, list[i].index
			return nil
		}
	} else {
		value = noValue
	}
	a, err := p.s.do(p.r.Context(), p.r, write(keys.Command{Kind: keys.CreateInOrder, Path: p.dir, Value: value, HasTTL: true, TTL: p.ttl}))
	if err != nil {
		return err
	}
	p.key, p.index, p.own = a.Event.Node.Key, a.Event.Node.Created, true
	return nil
}

// wait returns when the place is the first of the queue, with its ttl renewed, or
// with an error when it no longer can be or the timeout is over; a negative one
// never is, and with zero the queue is looked at once.
func (p *place) wait(timeout time.Duration) error {
	ctx, stop := context.WithCancel(p.r.Context())
	defer stop()
	if timeout > 0 {
		ctx, stop = context.WithTimeout(ctx, timeout)
		defer stop()
	}
	if p.own {
		ctx = p.keepAlive(ctx)
	}
	for {
		list, at, err := p.s.queue(ctx, p.r, p.dir)
		if err != nil {
			return p.because(ctx, err)
		}
		i := slices.IndexFunc(list, func(t ticket) bool { return t.index == p.index })
		switch {
		case i < 0:
			return errLockLost
		case i == 0:
			return p.renew(p.r.Context())
		case timeout == 0:
			return errNotFree
		}
		// Whatever happened to the one before since the queue was read is in the
		// history. A renewal of it is no event.
		_, err = p.s.watchOnce(ctx, p.r, list[i-1].key, at+1)
		if err != nil && !isCode(err, keys.CodeEventCleared) {
			return p.because(ctx, err)
		}
	}
}

// because says why waiting ended: the client, the clock, the key, or err.
func (p *place) because(ctx context.Context, err error) error {
	switch {
	case p.r.Context().Err() != nil:
		return errGone
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return errNotFree
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// keepAlive renews the key's ttl until ctx ends. The context that it returns ends
// with the reason if there is no key to keep.
func (p *place) keepAlive(ctx context.Context) context.Context {
	ctx, stop := context.WithCancelCause(ctx)
	pause := max(time.Duration(p.ttl)*time.Second/3, minRenewal)
	go func() {
		defer stop(nil)
		t := time.NewTicker(pause)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			// Without a leader nothing expires either: only a missing key is an end.
			if err := p.renew(ctx); errors.Is(err, errLockLost) {
				stop(err)
				return
			}
		}
	}()
	return ctx
}

// renew lets the ttl count from now.
func (p *place) renew(ctx context.Context) error {
	_, err := p.s.do(ctx, p.r, write(keys.Command{Kind: keys.Update, Path: p.key, Refresh: true, HasTTL: true, TTL: p.ttl}))
	if isCode(err, keys.CodeKeyNotFound) {
		return errLockLost
	}
	return err
}

// takeAway removes the key of a request that gave up.
func (p *place) takeAway() {
	ctx, stop := context.WithTimeout(context.WithoutCancel(p.r.Context()), takeAwayTimeout)
	defer stop()
	// The ttl sees to it if this fails.
	_, _ = p.s.do(ctx, p.r, write(keys.Command{Kind: keys.Delete, Path: p.key}))
}
