package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"drydock/node/client"
)

func event(index int) string {
	return fmt.Sprintf(`{"action":"set","node":{"key":"/k","value":"%d","modifiedIndex":%d,"createdIndex":1}}`, index, index)
}

// scripted answers one request after another, and notes what they asked.
func scripted(t *testing.T, steps ...http.HandlerFunc) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	url, _ = server(t, func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RawQuery)
		steps[min(len(*asked), len(steps))-1](w, r)
	})
	return url, asked
}

// TestWatchGoesOn: whatever ends a watch's answer, the next request asks for what
// comes after the last event, or after the index at which the watch began.
func TestWatchGoesOn(t *testing.T) {
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Etcd-Index", "41")
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, event(42)[:20])
	}
	a, asked := scripted(t,
		say(200, "", "X-Etcd-Index", "41"), short, say(200, event(44)), short, say(200, event(50)),
		say(400, `{"errorCode":401,"message":"m","cause":"c","index":99}`))
	c := open(t, client.Config{Endpoints: []string{a}})
	w := c.Watcher("/k", &client.WatchOptions{Recursive: true})
	for _, want := range []uint64{44, 50} {
		ev, err := w.Next(t.Context())
		if err != nil || ev.Node.ModifiedIndex != want {
			t.Fatalf("%+v, %v", ev, err)
		}
	}
	if _, err := w.Next(t.Context()); !errors.Is(err, client.ErrCleared) {
		t.Errorf("history gone: %v", err)
	}
	want := []string{
		"recursive=true&wait=true", "recursive=true&wait=true&waitIndex=42", "recursive=true&wait=true&waitIndex=42",
		"recursive=true&wait=true&waitIndex=45", "recursive=true&wait=true&waitIndex=45", "recursive=true&wait=true&waitIndex=51",
	}
	if fmt.Sprint(*asked) != fmt.Sprint(want) {
		t.Errorf("asked %q\nwant  %q", *asked, want)
	}
}

func TestWatchAfter(t *testing.T) {
	a, asked := scripted(t, say(200, event(8)))
	w := open(t, client.Config{Endpoints: []string{a}}).Watcher("/", &client.WatchOptions{AfterIndex: 7})
	if _, err := w.Next(t.Context()); err != nil || (*asked)[0] != "recursive=false&wait=true&waitIndex=8" {
		t.Errorf("%v, asked %q", err, *asked)
	}
}

func TestWatchMovesOn(t *testing.T) {
	bad, _ := server(t, cut)
	good, _ := server(t, say(200, event(3)))
	w := open(t, client.Config{Endpoints: []string{bad, good}}).Watcher("/k", nil)
	if ev, err := w.Next(t.Context()); err != nil || ev.Node.Value != "3" {
		t.Errorf("%+v, %v", ev, err)
	}
}

// TestWatchEnds: a watch waits as long as its context, whatever the time-out for
// heads of answers, and ends with it while it waits in any place.
func TestWatchEnds(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"open": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"empty": say(200, ""),
	} {
		a, _ := server(t, h)
		w := open(t, client.Config{Endpoints: []string{a}, HeaderTimeout: time.Minute}).Watcher("/k", nil)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
