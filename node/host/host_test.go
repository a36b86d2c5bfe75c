package host_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type noPeers struct{}

func (noPeers) Send(world.MemberID, []byte) {}

func config() node.Config {
	return node.Config{Cluster: 1, ID: 7, Name: "one", SegmentBytes: 1 << 20, Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond}
}

// start boots a sole member on dir, founding it if it is empty. stop ends it and
// lets the directory go; it may be called again.
func start(t *testing.T, dir string) (h *host.Host, stop func()) {
	t.Helper()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err = host.Start(disk, host.Options{Config: config(), Store: checkpoint.Store{}, Peers: noPeers{}})
	if errors.Is(err, node.ErrNotFounded) {
		if err = node.Found(disk, config(), checkpoint.Store{}, []state.Member{{ID: 7, Name: "one"}}); err == nil {
			h, err = host.Start(disk, host.Options{Config: config(), Store: checkpoint.Store{}, Peers: noPeers{}})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

func call(t *testing.T, method, target, form string) *api.Call {
	t.Helper()
	c, resp := api.Decode(&api.Request{Method: method, Target: target, Body: []byte(form), ContentType: "application/x-www-form-urlencoded"})
	if resp != nil {
		t.Fatalf("%s %s: answered %d at once", method, target, resp.Status)
	}
	return &c
}

func TestWritesSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	for life := range 3 {
		h, stop := start(t, dir)
		if _, err := host.OpenDisk(dir); !errors.Is(err, host.ErrLocked) {
			t.Fatalf("a directory in use was opened: %v", err)
		}
		for past := range life {
			a := h.Do(ctx, call(t, "GET", fmt.Sprintf("/v2/keys/life%d?quorum=true", past), ""))
			if a.Status != consensus.Done || a.Err != nil || a.Event.Node.Value != fmt.Sprint(past) {
				t.Fatalf("life %d: key of life %d: %+v", life, past, a)
			}
		}
		var done sync.WaitGroup
		for i := range 50 {
			done.Go(func() {
				if a := h.Do(ctx, call(t, "PUT", fmt.Sprintf("/v2/keys/many/%d", i), "value=x")); a.Status != consensus.Done {
					t.Errorf("write %d: %v %s", i, a.Status, a.Reason)
				}
			})
		}
		done.Wait()
		if a := h.Do(ctx, call(t, "PUT", fmt.Sprintf("/v2/keys/life%d", life), fmt.Sprintf("value=%d", life))); a.Status != consensus.Done {
			t.Fatalf("life %d: %+v", life, a)
		}
		stop()
		if a := h.Do(ctx, call(t, "GET", "/v2/keys/life0", "")); a.Status != consensus.Refused {
			t.Fatalf("a stopped host answered %v", a.Status)
		}
		if err := h.Look(func(*node.Node) {}); !errors.Is(err, host.ErrStopped) {
			t.Fatalf("Look at a stopped host: %v", err)
		}
	}
}

// Who reads the log of a member that was stopped finds all that it acknowledged
// to be committed.
func TestStopWritesWhatIsCommitted(t *testing.T) {
	dir := t.TempDir()
	h, stop := start(t, dir)
	for i := range 5 {
		if a := h.Do(t.Context(), call(t, "PUT", "/v2/keys/a", fmt.Sprintf("value=%d", i))); a.Status != consensus.Done {
			t.Fatalf("write %d: %+v", i, a)
		}
	}
	stop()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	var last, commit uint64
	_, err = wal.Scan(disk, wal.Position{}, func(r wal.Record) error {
		for i := range r.Batch.Entries {
			last = r.Batch.Entries[i].Index
		}
		if hard := r.Batch.Hard; hard != nil {
			commit = hard.Commit
		}
		return nil
	})
	if err != nil || last == 0 || commit != last {
		t.Errorf("entries up to %d, committed up to %d: %v", last, commit, err)
	}
}

func TestWatch(t *testing.T) {
	h, _ := start(t, t.TempDir())
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	put := func(v string) {
		if a := h.Do(ctx, call(t, "PUT", "/v2/keys/w", "value="+v)); a.Status != consensus.Done {
			t.Fatalf("put: %+v", a)
		}
	}
	put("0")
	w, err := h.Watch(ctx, call(t, "GET", "/v2/keys/w?wait=true&stream=true", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if n, err := w.Next(ctx); err != nil || !n.Head {
		t.Fatalf("head: %+v, %v", n, err)
	}
	for i := range 5 {
		put(fmt.Sprint(i))
		if n, err := w.Next(ctx); err != nil || n.Event.Node.Value != fmt.Sprint(i) {
			t.Fatalf("event %d: %+v, %v", i, n, err)
		}
	}
	// A reader that does not read is left behind; what came before is still there.
	for i := range 150 {
		put(fmt.Sprint(i))
	}
	got := 0
	for {
		if _, err = w.Next(ctx); err != nil {
			break
		}
		got++
	}
	if !errors.Is(err, host.ErrLagging) || got != 100 {
		t.Fatalf("%d events, then %v", got, err)
	}
	// History of more than that is no lag.
	past, err := h.Watch(ctx, call(t, "GET", "/v2/keys/w?wait=true&stream=true&waitIndex=1", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	for i := range 1 + 156 {
		if _, err := past.Next(ctx); err != nil {
			t.Fatalf("news %d: %v", i, err)
		}
	}
}

func TestDirectoryThatWasNotFounded(t *testing.T) {
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if _, err := host.Start(disk, host.Options{Config: config(), Store: checkpoint.Store{}, Peers: noPeers{}}); !errors.Is(err, node.ErrNotFounded) {
		t.Fatal(err)
	}
}

func TestViewAndWatchOfTheLeader(t *testing.T) {
	h, _ := start(t, t.TempDir())
	var v node.View
	if err := h.Look(func(n *node.Node) { v = n.View() }); err != nil {
		t.Fatal(err)
	}
	if v.ID != 7 || v.Name != "one" || len(v.Members) != 1 {
		t.Fatalf("view %+v", v)
	}
}
