package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

// nobody is the peers of a sole member.
type nobody struct{}

func (nobody) Send(world.MemberID, []byte) {}

// config is that of the test's member: its log and checkpoints are small, so
// that few writes make several of them.
func config(cluster uint64, id world.MemberID) node.Config {
	return node.Config{
		Cluster: cluster, ID: id, Name: "one", SegmentBytes: 16 << 10, CheckpointEntries: 40, CatchUpEntries: 150,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
}

// boot runs a node on dir. stop ends it.
func boot(t testing.TB, dir string, cfg node.Config) (h *host.Host, stop func(), err error) {
	t.Helper()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err = host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: nobody{}})
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	return h, sync.OnceFunc(func() {
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	}), nil
}

// do carries a request out, which must be answered.
func do(t testing.TB, h *host.Host, method, target, form string) node.Answer {
	t.Helper()
	c, resp := api.Decode(&api.Request{Method: method, Target: target, Body: []byte(form), ContentType: "application/x-www-form-urlencoded"})
	if resp != nil {
		t.Fatalf("%s %s: answered %d at once", method, target, resp.Status)
	}
	a := h.Do(t.Context(), &c)
	if a.Status != consensus.Done {
		t.Fatalf("%s %s: %v, %s", method, target, a.Status, a.Reason)
	}
	return a
}

// submit makes a unit, once the cluster's release allows it.
func submit(t testing.TB, h *host.Host, name string) {
	t.Helper()
	desired := fleet.Launched
	put := &fleet.Put{Name: name, Text: "[Service]\nExecStart=/bin/app %i\n", Desired: &desired}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		a := h.Fleet(t.Context(), &fleet.Command{Put: put})
		if a.Status == consensus.Done && a.Refusal == nil {
			return
		}
		if !errors.Is(a.Refusal, state.ErrNotYet) || time.Now().After(deadline) {
			t.Fatalf("submit %s: %+v", name, a)
		}
	}
}

// found makes dir a founder's, which has not run yet.
func found(t testing.TB, dir string) {
	t.Helper()
	m := state.Member{ID: 0x7a, Name: "one", PeerURLs: []string{"http://127.0.0.1:2380"}, ClientURLs: []string{"http://127.0.0.1:2379"}}
	id := host.Identity{Cluster: 0xc1, ID: m.ID, Name: "one"}
	disk, err := host.OpenDisk(dir)
	if err == nil {
		err = errors.Join(host.WriteIdentity(dir, id), node.Found(disk, config(0xc1, m.ID), checkpoint.Store{}, []state.Member{m}), disk.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fixture is a member's directory after some life, made once and only copied.
var fixture struct {
	once sync.Once
	dir  string
}

// grown returns the copy of a directory that has seen several starts,
// checkpoints and segments, and has a snapshot file.
func grown(t testing.TB) string {
	t.Helper()
	fixture.once.Do(func() {
		dir, err := os.MkdirTemp("", "archive")
		if err != nil {
			t.Fatal(err)
		}
		fixture.dir = dir
		found(t, dir)
		for life := range 3 {
			h, stop, err := boot(t, dir, config(0xc1, 0x7a))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				do(t, h, "PUT", fmt.Sprintf("/v2/keys/app/%d", i), fmt.Sprintf("value=%d-%d-%s", life, i, strings.Repeat("x", 500)))
			}
			do(t, h, "PUT", "/v2/keys/brief", "value=soon&ttl=600")
			do(t, h, "POST", "/v2/keys/_queue", "value=first")
			do(t, h, "DELETE", "/v2/keys/app/7", "")
			submit(t, h, fmt.Sprintf("app@%d.service", life))
			stop()
		}
		d, err := host.OpenDisk(dir)
		if err == nil {
			_, _, err = checkpoint.Export(d, "one.snap")
			err = errors.Join(err, d.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	dir := filepath.Join(t.TempDir(), "one.drydock")
	if err := os.CopyFS(dir, os.DirFS(fixture.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	m.Run()
	if fixture.dir != "" {
		_ = os.RemoveAll(fixture.dir)
	}
}

// contents reads every file below dir, by its path there.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
