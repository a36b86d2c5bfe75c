package daemon

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/wal"
)

// TestFoundingCutShort kills a founding at each of its steps: the next start must
// begin it again, whatever the first has left.
func TestFoundingCutShort(t *testing.T) {
	for _, c := range []struct {
		name string
		// left makes what the killed process has left in the directory.
		left func(t *testing.T, p *place, id host.Identity, founders []state.Member)
	}{
		{"before its checkpoint", func(*testing.T, *place, host.Identity, []state.Member) {}},
		{"in its log", func(t *testing.T, p *place, id host.Identity, founders []state.Member) {
			foundIn(t, p, id, founders)
			if err := os.RemoveAll(filepath.Join(p.dir, "wal")); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(p.dir, "wal"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.dir, "wal", "create.tmp"), make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"with its log in place", foundIn},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, "one")
			founders := []state.Member{{Name: p.name, PeerURLs: []string{p.peerURL()}}}
			id := host.Identity{Cluster: foundingIDs(t.Name(), founders), Name: p.name, Founding: true}
			id.ID, id.Bootstrap = founders[0].ID, addresses(founders)
			if err := os.MkdirAll(p.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := host.WriteIdentity(p.dir, id); err != nil {
				t.Fatal(err)
			}
			c.left(t, p, id, founders)
			one := p.mustStart(t, nil)
			put(t, one.clientURL(), "/a", "1")
			if got, err := host.ReadIdentity(p.dir); err != nil || got.Founding || got.ID != id.ID {
				t.Fatalf("the identity is %+v (%v)", got, err)
			}
		})
	}
}

func foundIn(t *testing.T, p *place, id host.Identity, founders []state.Member) {
	t.Helper()
	disk, err := host.OpenDisk(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	err = node.Found(disk, p.load(t, nil).node(id), checkpoint.Store{}, founders)
	if err := errors.Join(err, disk.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedLog: who meets damage is told where to look.
func TestDamagedLog(t *testing.T) {
	p := newPlace(t, "one")
	one := p.mustStart(t, nil)
	for _, v := range []string{"1", "2", "3"} {
		put(t, one.clientURL(), "/a", v)
	}
	one.stop()
	files, err := filepath.Glob(filepath.Join(p.dir, "wal", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("rot"), 300)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	p.reopen(t)
	if _, err := p.start(t, nil); !errors.Is(err, wal.ErrCorrupt) || !strings.Contains(err.Error(), "drydock node inspect "+p.dir) {
		t.Fatalf("started on a damaged log: %v", err)
	}
}

// TestLostLog: a member whose log is gone is not founded again under its id.
func TestLostLog(t *testing.T) {
	p := newPlace(t, "one")
	one := p.mustStart(t, nil)
	put(t, one.clientURL(), "/a", "1")
	one.stop()
	if err := os.RemoveAll(filepath.Join(p.dir, "wal")); err != nil {
		t.Fatal(err)
	}
	p.reopen(t)
	if _, err := p.start(t, nil); !errors.Is(err, node.ErrNotFounded) {
		t.Fatalf("started without its log: %v", err)
	}
}

// TestFoundersDoNotWait: founders that ask each other while both are being made get
// an answer at once, and whoever wants a member's services waits until there is one.
func TestFoundersDoNotWait(t *testing.T) {
	d := &door{opened: make(chan struct{})}
	s := httptest.NewServer(d)
	defer s.Close()
	if status, body := ask("GET", s.URL+pathCluster, ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "no member yet") {
		t.Fatalf("whose port is this? %d %s", status, body)
	}
	late := make(chan int, 1)
	go func() {
		status, _ := ask("GET", s.URL+"/other", "")
		late <- status
	}()
	select {
	case status := <-late:
		t.Fatalf("answered %d before there is a member", status)
	case <-time.After(50 * time.Millisecond):
	}
	d.open(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if status := <-late; status != http.StatusTeapot {
		t.Fatalf("answered %d", status)
	}
	if status, _ := ask("GET", s.URL+pathCluster, ""); status != http.StatusTeapot {
		t.Fatalf("answered %d once it is open", status)
	}
}
