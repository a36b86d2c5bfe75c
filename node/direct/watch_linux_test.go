package direct

import (
	"io"
	"net/http"
	"testing"

	"drydock/node"
	"drydock/node/host"
)

// tell gives a watch news as the reactor's goroutine does.
func tell(a host.Asked, list ...node.WatchNews) {
	w := a.Asker.(host.Watcher)
	var f host.Flusher
	for i := range list {
		f = w.News(&list[i])
	}
	f.Flush()
}

var (
	head  = node.WatchNews{Head: true}
	event = node.WatchNews{Last: true}
)

// begun waits for the head of an answer in chunks.
func (c *client) begun() io.ReadCloser {
	c.f.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || len(resp.TransferEncoding) != 1 {
		c.f.t.Fatalf("%v, %v", resp, err)
	}
	return resp.Body
}

func TestWatchesAreToldOnce(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1"))
	a := next(t, f.asked)
	tell(a, head)
	body := c.begun()
	c.say(ask("ask2")) // which waits
	tell(a, event)
	if b, err := io.ReadAll(body); err != nil || string(b) != "news" {
		t.Fatalf("%q, %v", b, err)
	}
	// Both at once.
	tell(next(t, f.asked), head, event)
	c.hears("news")
	c.say(ask("ask3"))
	reply(next(t, f.asked), "")
	c.hears("ask3 ")
	if len(f.cancelled) > 0 {
		t.Error("a watch that was told was cancelled")
	}
}

func TestWatchesOfClientsThatGo(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1"))
	a := next(t, f.asked)
	tell(a, head)
	c.begun()
	c.Close()
	next(t, f.cancelled)
	if got := next(t, f.finished); got != "ask1 is over" {
		t.Error(got)
	}
	next(t, f.gone)
	if a.Call.Path != "ask1" {
		t.Error("the call changed, which the node may still read: it has not seen the cancel")
	}
	tell(a, event) // too late
}

func TestWatchesEnd(t *testing.T) {
	for name, end := range map[string]func(*fake, host.Asked){
		"the server is to stop": func(f *fake, _ host.Asked) { f.EndWatches() },
		"the server stops":      func(f *fake, _ host.Asked) { f.Drain() },
		"the node has stopped":  func(_ *fake, a host.Asked) { reply(a, "stopped") },
	} {
		f := start(t, nil)
		c, early := f.dial(ask("ask1")), f.dial("")
		a := next(t, f.asked)
		tell(a, head)
		body := c.begun()
		early.say(ask("ask2"))
		b := next(t, f.asked)
		end(f, a)
		if b, err := io.ReadAll(body); err != nil || len(b) > 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		c.closed()
		if name == "the node has stopped" {
			continue
		}
		// One whose head comes after that.
		tell(b, head)
		if b, err := io.ReadAll(early.begun()); err != nil || len(b) > 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		early.closed()
	}
}

// A handler that can't go on has the connection end, and the watch with it: half an
// answer must not look whole, and later news not like the answer to another request.
func TestWatchesWhoseHandlerFails(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1"))
	a := next(t, f.asked)
	tell(a, head)
	c.begun()
	tell(a, node.WatchNews{})
	next(t, f.cancelled)
	c.closed()
	next(t, f.gone)
	tell(a, event) // too late
}
