package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// fake is a driver whose machines are servers on loopback that know each other.
type fake struct {
	// fails has machines that don't boot; silent ones whose node says that it is ill.
	fails, silent map[string]bool
	// another has switched those machines on when they are to boot.
	another map[string]bool
	// fixed: its grounds keep the machines that they have.
	fixed bool
	// snaps: its grounds keep states.
	snaps bool
	reaps int
	// sites are those that the driver was given, in order.
	opened *fakeGround
}

func (f *fake) Name() string { return "fake" }

func (f *fake) Capabilities() lab.Capabilities { return lab.Capabilities{lab.HasPause} }

func (f *fake) Probe(context.Context) []lab.Finding { return nil }

func (f *fake) Check(*lab.Spec) error { return nil }

func (f *fake) Reap(lab.Site) ([]string, error) { f.reaps++; return nil, nil }

func (f *fake) Exec(context.Context, lab.Access, lab.Command) (int, error) { return 0, nil }

func (f *fake) Open(_ context.Context, site lab.Site) (lab.Ground, error) {
	g := &fakeGround{driver: f, site: site, sw: wire.New(wire.Config{})}
	for i := range site.Machines {
		m := site.Machines[i]
		if err := g.sw.AddPort(fabric.Port{Name: m.Name}); err != nil {
			return nil, err
		}
		if err := g.Put(m.Name, &fakeUnit{ground: g, spec: m}); err != nil {
			return nil, err
		}
		if m.Role == lab.RoleMember {
			g.members = append(g.members, clusterMember{ID: m.ID[:16], Name: m.Name, PeerURLs: []string{m.PeerURL()}})
		}
	}
	f.opened = g
	switch {
	case f.fixed:
		return struct{ lab.Ground }{g}, nil
	case f.snaps:
		return &snapGround{fakeGround: g}, nil
	}
	return g, nil
}

// fakeGround is a lab of such machines, and what its cluster knows.
type fakeGround struct {
	lab.Table
	driver *fake
	sw     *wire.Switch

	mu      sync.Mutex
	site    lab.Site
	members []clusterMember
	learner string   // the peer URL of a member without a vote
	did     []string // what was done, in order
}

func (g *fakeGround) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.did = append(g.did, fmt.Sprintf(format, args...))
}

// said are what was done since the last time.
func (g *fakeGround) said() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.did
	g.did = nil
	return list
}

func (g *fakeGround) Admit(_ context.Context, site lab.Site, m *lab.Machine) error {
	if g.Unit(m.Name) == nil {
		if err := g.sw.AddPort(fabric.Port{Name: m.Name}); err != nil {
			return err
		}
	}
	g.mu.Lock()
	g.site = site
	g.mu.Unlock()
	if err := g.Put(m.Name, &fakeUnit{ground: g, spec: *m}); err != nil {
		return err
	}
	g.note("admit %s %s %s", m.Name, m.Address, strings.Join(m.Metadata, ","))
	return nil
}

func (g *fakeGround) Dismiss(site lab.Site, name string) error {
	g.mu.Lock()
	g.site = site
	g.mu.Unlock()
	g.note("dismiss %s", name)
	return errors.Join(g.Drop(name), g.sw.RemovePort(name))
}

// Dial leads to the server of the machine that has the address.
func (g *fakeGround) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for _, u := range g.Units() {
		one := u.(*fakeUnit)
		if at := one.at(); at != "" && one.spec.Address.String() == host {
			return new(net.Dialer).DialContext(ctx, network, at)
		}
	}
	return nil, fmt.Errorf("%s: nobody is there", address)
}

func (g *fakeGround) Wire() *wire.Switch { return g.sw }

func (g *fakeGround) Close() error {
	errs := []error{g.RetireAll(), g.sw.Close()}
	g.note("close")
	return errors.Join(errs...)
}

// fakeUnit is one of its machines.
type fakeUnit struct {
	ground *fakeGround
	spec   lab.Machine

	mu      sync.Mutex
	server  *httptest.Server // nil while it is off
	node    bool
	stopped bool
}

func (u *fakeUnit) at() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.server == nil {
		return ""
	}
	return u.server.Listener.Addr().String()
}

func (u *fakeUnit) Boot(context.Context) error {
	if u.ground.driver.fails[u.spec.Name] {
		u.ground.mu.Lock()
		defer u.ground.mu.Unlock()
		err := os.WriteFile(u.ground.site.Console(u.spec.Name), []byte(strings.Repeat("noise\n", 30)+"Kernel panic\n"), 0o644)
		return errors.Join(errors.New("it panicked"), err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.server, u.node = httptest.NewServer(u), true
	u.ground.note("boot %s", u.spec.Name)
	if u.ground.driver.another[u.spec.Name] {
		return power.ErrOn
	}
	return nil
}

// ServeHTTP is the machine's node.
func (u *fakeUnit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g := u.ground
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := map[string]any{}
	switch path := r.URL.Path; {
	case path == "/health":
		answer["health"] = fmt.Sprint(!g.driver.silent[u.spec.Name])
	case path == "/fleet/v1/machines":
		var all []map[string]string
		for i := range g.site.Machines {
			all = append(all, map[string]string{"id": g.site.Machines[i].ID})
		}
		answer["machines"] = all
	case path == "/debug/vars":
		state := "StateFollower"
		if u.spec.Node == "n1" {
			state = "StateLeader"
		}
		answer["raft.status"] = map[string]any{"term": 7, "raftState": state}
	case path == "/fleet/v1/state":
		answer["states"] = []map[string]string{{"machineID": u.spec.ID, "systemdActiveState": "active"}, {"machineID": u.spec.ID, "systemdActiveState": "failed"}}
	case path == "/v2/members" && r.Method == http.MethodGet:
		answer["members"] = g.members
	case path == "/members": // of the peer port
		var all []map[string]any
		for _, m := range g.members {
			all = append(all, map[string]any{"peerURLs": m.PeerURLs, "learner": m.PeerURLs[0] == g.learner})
		}
		_ = json.NewEncoder(w).Encode(all)
		return
	case path == "/v2/members":
		var m clusterMember
		if json.NewDecoder(r.Body).Decode(&m) != nil {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		m.ID = fmt.Sprintf("%x", len(g.members)+0xa0)
		g.members = append(g.members, m)
		g.did = append(g.did, "member add "+m.PeerURLs[0])
	case r.Method == http.MethodDelete:
		id := strings.TrimPrefix(path, "/v2/members/")
		g.members = slices.DeleteFunc(g.members, func(m clusterMember) bool { return m.ID == id })
		g.did = append(g.did, "member remove")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (u *fakeUnit) Halt(context.Context) error { u.ground.note("halt %s", u.spec.Name); return u.off() }

func (u *fakeUnit) Cut() error { return u.off() }

func (u *fakeUnit) Retire() error { return u.off() }

func (u *fakeUnit) off() error {
	u.mu.Lock()
	s := u.server
	u.server, u.node, u.stopped = nil, false, false
	u.mu.Unlock()
	if s != nil {
		s.CloseClientConnections()
		s.Close()
	}
	return nil
}

func (u *fakeUnit) set(node, stopped bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.node, u.stopped = node, stopped
	return nil
}

func (u *fakeUnit) StartNode() error { return u.set(true, false) }
func (u *fakeUnit) KillNode() error  { return u.set(false, false) }
func (u *fakeUnit) PauseNode() error {
	u.ground.note("pause %s", u.spec.Name)
	return u.set(true, true)
}

func (u *fakeUnit) ResumeNode() error {
	u.ground.note("resume %s", u.spec.Name)
	return u.set(true, false)
}
func (u *fakeUnit) Freeze() error   { return nil }
func (u *fakeUnit) Thaw() error     { return nil }
func (u *fakeUnit) Control() string { return "" }

func (u *fakeUnit) Access() (lab.Access, error) { return lab.Access{Machine: u.spec.Name}, nil }

func (u *fakeUnit) Vitals() lab.Vitals {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.server == nil {
		return lab.Vitals{Power: lab.PowerOff}
	}
	return lab.Vitals{Power: lab.PowerOn, NodeUp: u.node, NodePaused: u.stopped}
}

// newStore makes the directory of a lab file's lab.
func newStore(t *testing.T, text string) lab.Store {
	t.Helper()
	spec, err := lab.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	spec.Ready = patience
	store, err := lab.OpenStore(t.TempDir(), spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(lab.NewState(spec, began)); err != nil {
		t.Fatal(err)
	}
	return store
}
