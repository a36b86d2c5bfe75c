package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/vmlab/lab"
)

// users is a cluster's API, which notes what changes.
type users struct {
	mu      sync.Mutex
	machine known
	changes []string
}

func (u *users) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(map[string]any{"machines": []known{u.machine}, "states": []map[string]string{
			{"name": "a.service", "machineID": u.machine.ID, "systemdActiveState": "active"},
			{"name": "b.service", "machineID": u.machine.ID, "systemdActiveState": "inactive"},
			{"name": "c.service", "machineID": u.machine.ID, "systemdActiveState": "active"},
		}})
		return
	}
	body, _ := io.ReadAll(r.Body)
	u.changes = append(u.changes, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	if strings.Contains(string(body), "refused") {
		http.Error(w, "no", http.StatusBadRequest)
	}
}

// asking is an injector of one machine, whose API is u.
func asking(t *testing.T, u *users) *Injector {
	t.Helper()
	srv := httptest.NewServer(u)
	t.Cleanup(srv.Close)
	b := &box{}
	i := b.injector()
	i.Site.Machines[0].ID, i.Site.Machines[0].Address = u.machine.ID, netip.MustParseAddr("172.17.8.101")
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	i.HTTP = &http.Client{Transport: transport}
	return i
}

// TestWhatUsersDo: machines are drained and described by the cluster's API, and are
// afterwards as they were.
func TestWhatUsersDo(t *testing.T) {
	u := &users{machine: known{ID: "aa", Metadata: map[string]string{"disk": "ssd"}}}
	i := asking(t, u)
	for _, p := range []chaos.Params{&chaos.Drain{}, &chaos.Metadata{Set: []string{"disk=hdd", "rack=7"}}} {
		undo, _, err := i.Inject(fault(p))
		if err == nil {
			err = undo()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"PUT /fleet/v1/machines/aa/drain",
		"DELETE /fleet/v1/machines/aa/drain",
		`PATCH /fleet/v1/machines [{"op":"add","path":"/aa/metadata/disk","value":{"value":"hdd"}},{"op":"add","path":"/aa/metadata/rack","value":{"value":"7"}}]`,
		`PATCH /fleet/v1/machines [{"op":"add","path":"/aa/metadata/disk","value":{"value":"ssd"}},{"op":"remove","path":"/aa/metadata/rack"}]`,
	}
	if diff := cmp.Diff(want, u.changes); diff != "" {
		t.Error(diff)
	}
	u.machine.Drained = true
	for want, p := range map[string]chaos.Params{
		"drained already": &chaos.Drain{},
		"refused: core-01: PATCH /fleet/v1/machines: 400 Bad": &chaos.Metadata{Set: []string{"disk=refused"}},
	} {
		if _, _, err := i.Inject(fault(p)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	u.machine.ID = "bb"
	if _, _, err := i.Inject(fault(&chaos.Drain{})); err == nil || !strings.Contains(err.Error(), "does not know it") {
		t.Errorf("a machine that the cluster does not know: %v", err)
	}
}

// TestUnitsAreKilled: those that run, that are named, and no more than asked for.
func TestUnitsAreKilled(t *testing.T) {
	u := &users{machine: known{ID: "aa"}}
	i := asking(t, u)
	b := i.Driver.(*box)
	if _, detail, err := i.Inject(fault(&chaos.UnitCrash{})); err != nil || detail != "a.service on core-01, c.service on core-01" {
		t.Errorf("%q, %v", detail, err)
	}
	for _, c := range b.commands {
		if c[0] != "/bin/sh" || !strings.HasPrefix(c[len(c)-1], "/run/drydock/aa/units/unit-") {
			t.Errorf("%v", c)
		}
	}
	b.can, b.commands = lab.Capabilities{lab.HasSystemd}, nil
	if _, detail, err := i.Inject(fault(&chaos.UnitCrash{Most: 1})); err != nil || len(b.commands) != 1 || strings.Count(detail, ".service") != 1 {
		t.Errorf("%q, %v, %v", detail, b.commands, err)
	}
	if c := b.commands[0]; c[0] != "systemctl" || !strings.HasSuffix(c[len(c)-1], ".service") {
		t.Errorf("%v", c)
	}
	if _, _, err := i.Inject(fault(&chaos.UnitCrash{Unit: []string{"b*"}})); !errors.Is(err, chaos.ErrNoEffect) {
		t.Errorf("one that does not run: %v", err)
	}
}

// TestElsewhere: what labs don't have is refused with what does.
func TestElsewhere(t *testing.T) {
	plain, systemd := driver{}, driver{can: lab.Capabilities{lab.HasSystemd}}
	for _, tc := range []struct {
		kind chaos.Kind
		d    lab.Driver
		want string
	}{
		{chaos.KindTransfer, plain, "`control: true`"},
		{chaos.KindTransfer, lab.Controlled(plain), ""},
		{chaos.KindWipe, plain, ""},
		{chaos.KindReplace, systemd, "netns has it"},
		{chaos.KindMembership, systemd, "netns has it"},
		{chaos.KindDrain, systemd, ""},
		{chaos.KindMetadata, plain, ""},
		{chaos.KindUnits, plain, "fleetctl"},
		{chaos.KindUnitCrash, plain, ""},
		{chaos.KindUnitHang, plain, "drydock run --world lab"},
		{chaos.KindUnitFail, systemd, "drydock run --world lab"},
		{chaos.KindBitRot, lab.Controlled(plain), "the simulator's alone"},
		{chaos.KindUpgrade, plain, "the simulator's alone"},
	} {
		err := Supports(tc.d, false, tc.kind)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.kind, err, tc.want)
		}
	}
}

// TestMayHarm: the others must be a majority by themselves.
func TestMayHarm(t *testing.T) {
	for others, least := range map[int]int{0: 1, 1: 2, 2: 2, 3: 3, 4: 3} {
		for living := range others + 1 {
			if err := MayHarm(others, living); (err == nil) != (living >= least) {
				t.Error(fmt.Sprintf("of %d others %d live:", others, living), err)
			}
		}
	}
}
