package host_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/host"
)

// crowd takes the answers to what was posted together.
type crowd struct {
	mu      sync.Mutex
	answers []node.Answer
	steps   int
	flushed chan struct{}
}

// asker is one of a crowd.
type asker struct{ *crowd }

func (a asker) Answer(x *node.Answer) host.Flusher {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = append(a.answers, *x)
	return a.crowd
}

func (c *crowd) Flush() {
	c.mu.Lock()
	c.steps++
	c.mu.Unlock()
	select {
	case c.flushed <- struct{}{}:
	default:
	}
}

// await waits until n answers have come and were flushed.
func (c *crowd) await(t *testing.T, n int) []node.Answer {
	t.Helper()
	late := time.After(10 * time.Second)
	again := time.NewTicker(5 * time.Millisecond) // several may wait for one flush
	defer again.Stop()
	for {
		c.mu.Lock()
		if len(c.answers) >= n {
			defer c.mu.Unlock()
			return c.answers
		}
		c.mu.Unlock()
		select {
		case <-c.flushed:
		case <-again.C:
		case <-late:
			t.Errorf("waited in vain for %d answers", n)
			return nil
		}
	}
}

func TestPost(t *testing.T) {
	h, stop := start(t, t.TempDir())
	if a := h.Do(t.Context(), call(t, "PUT", "/v2/keys/first", "value=1")); a.Status != consensus.Done {
		t.Fatal(a)
	}
	// More than one step takes.
	const many = 1200
	c := &crowd{flushed: make(chan struct{}, 1)}
	var list []host.Asked
	for i := range many {
		list = append(list, host.Asked{Call: call(t, "PUT", fmt.Sprintf("/v2/keys/many/%d", i), "value=x"), Asker: asker{c}})
	}
	h.Post(list)
	seen := make(map[uint64]bool)
	for _, a := range c.await(t, many) {
		if a.Status != consensus.Done || a.Err != nil || seen[a.Token] {
			t.Fatalf("%+v", a)
		}
		seen[a.Token] = true
	}
	for i := range list {
		if !seen[list[i].Token] {
			t.Fatalf("call %d has the token %d, which was not answered", i, list[i].Token)
		}
	}
	if c.steps >= many/10 {
		t.Errorf("%d answers were flushed %d times", many, c.steps)
	}

	// A call that was cancelled before it reached the node, or after, is not answered
	// with others' answers; others are.
	c = &crowd{flushed: make(chan struct{}, 1)}
	list = []host.Asked{{Call: call(t, "GET", "/v2/keys/first", ""), Asker: asker{c}}, {Call: call(t, "GET", "/v2/keys/first?quorum=true", ""), Asker: asker{c}}}
	h.Post(list)
	h.Cancel(list[0].Token)
	for _, a := range c.await(t, 1) {
		if a.Status != consensus.Done {
			t.Errorf("%+v", a)
		}
	}

	// A host that has stopped refuses.
	stop()
	c = &crowd{flushed: make(chan struct{}, 1)}
	h.Post([]host.Asked{{Call: call(t, "GET", "/v2/keys/first", ""), Asker: asker{c}}})
	h.Cancel(1)
	if a := c.await(t, 1); len(a) != 1 || a[0].Status != consensus.Refused || a[0].Reason != host.ErrStopped.Error() {
		t.Errorf("%+v", a)
	}
}

// TestPostWhileStopping posts until the host has stopped: every call is answered.
func TestPostWhileStopping(t *testing.T) {
	h, stop := start(t, t.TempDir())
	c := &crowd{flushed: make(chan struct{}, 1)}
	posted := make(chan int, 1)
	get := call(t, "GET", "/v2/keys/none?quorum=true", "")
	go func() {
		for n := 1; ; n++ {
			c.await(t, n-100)
			h.Post([]host.Asked{{Call: get, Asker: asker{c}}})
			select {
			case <-h.Done():
				posted <- n
				return
			default:
			}
		}
	}()
	c.await(t, 10)
	stop()
	n := <-posted
	for _, a := range c.await(t, n) {
		if a.Status == consensus.Done && a.Err == nil {
			t.Errorf("%+v", a)
		}
	}
	if got := len(c.await(t, n)); got != n {
		t.Errorf("%d answers to %d calls", got, n)
	}
}
