package keeper

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// one chooses a node.
func one(node string) chaos.Selectors { return chaos.Selectors{chaos.Selector(node)} }

// fill puts something on a machine's disk, and says whether it is there.
func (k *kept) fill(name string) (there func() bool) {
	k.t.Helper()
	site := k.site()
	path := filepath.Join(inject.DataDir(&site, site.Machine(name)), "wal")
	if err := os.MkdirAll(path, 0o755); err != nil {
		k.t.Fatal(err)
	}
	return func() bool { _, err := os.Stat(path); return err == nil }
}

// seat is what is on record of a machine.
func (k *kept) seat(name string) lab.Seat {
	k.t.Helper()
	st, err := k.store.Load()
	if err != nil {
		k.t.Fatal(err)
	}
	at := slices.IndexFunc(st.Machines, func(m lab.Machine) bool { return m.Name == name })
	return st.Machines[at].Seat
}

func (k *kept) strike(p chaos.Params) *Fault {
	k.t.Helper()
	f, err := k.client.Strike(k.t.Context(), order(k.t, p.Kind(), p, 0))
	if err != nil {
		k.t.Fatal(err)
	}
	return f
}

// TestAWipedMachine is off and on record as lost, whatever switches it on makes a new
// member of it, and no second disk is spoiled meanwhile.
func TestAWipedMachine(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	full := k.fill("core-02")
	k.ground.said()
	if f := k.strike(&chaos.Wipe{Node: one("n2")}); f.ID != 0 || f.Text != "wipe core-02" {
		t.Errorf("%+v", f)
	}
	if full() || k.seat("core-02") != lab.SeatLost || k.ground.Vitals("core-02").Power != lab.PowerOff {
		t.Error("core-02 is not as it should be")
	}
	_, err := k.client.Strike(t.Context(), order(t, chaos.KindWipe, &chaos.Wipe{Node: one("n1")}, 0))
	if err == nil || !strings.Contains(err.Error(), "core-01: not yet: the disk of core-02 is lost (destroy=true") {
		t.Errorf("a second disk: %v", err)
	}
	if said, err := k.client.Heal(t.Context(), nil); err != nil || !slices.Equal(said, []string{"restart core-02"}) {
		t.Errorf("%v, %v", said, err)
	}
	want := []string{"member remove", "member add http://172.17.8.102:2380", "admit core-02 172.17.8.102 ", "boot core-02"}
	if diff := cmp.Diff(want, k.ground.said()); diff != "" || k.seat("core-02") != "" {
		t.Error(diff)
	}
	full = k.fill("core-02")
	k.strike(&chaos.Wipe{Node: one("n2"), RestartAfter: time.Millisecond})
	k.until("it comes back by itself", func() bool { return k.ground.Vitals("core-02").Power == lab.PowerOn && !full() })
	k.strike(&chaos.Wipe{Node: one("n3")})
	k.ground.said()
	k.up()
	if said := k.ground.said(); len(said) != 4 || said[0] != "member remove" || said[3] != "boot core-03" {
		t.Errorf("up of a machine whose disk is lost: %v", said)
	}
}

// TestAReplacedMachine is a new member when the fault has been injected; not where one of
// the others still learns.
func TestAReplacedMachine(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	k.ground.learner = "http://172.17.8.103:2380"
	_, err := k.client.Strike(t.Context(), order(t, chaos.KindReplace, &chaos.Replace{Node: one("n1")}, 0))
	if err == nil || !strings.Contains(err.Error(), "core-03 has no vote yet") {
		t.Errorf("got %v", err)
	}
	k.ground.learner = ""
	full := k.fill("core-01")
	k.ground.said()
	if f := k.strike(&chaos.Replace{Node: one("n1")}); f.Detail != "back as a new member" || full() || k.seat("core-01") != "" {
		t.Errorf("%+v, full %v", f, full())
	}
	want := []string{"member remove", "member add http://172.17.8.101:2380", "admit core-01 172.17.8.101 ", "boot core-01"}
	if diff := cmp.Diff(want, k.ground.said()); diff != "" {
		t.Error(diff)
	}
}

// TestMembership: one that leaves stays outside until it is asked to join.
func TestMembership(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	k.ground.said()
	k.strike(&chaos.Membership{Remove: []string{"n3"}})
	if diff := cmp.Diff([]string{"member remove"}, k.ground.said()); diff != "" || k.seat("core-03") != lab.SeatOutside {
		t.Error(diff, k.seat("core-03"))
	}
	if said, err := k.client.Heal(t.Context(), nil); err != nil || len(said) > 0 {
		t.Errorf("heal: %v, %v", said, err)
	}
	for want, p := range map[string]chaos.Params{
		"core-03 is no member":      &chaos.Membership{Remove: []string{"n3"}},
		"core-01 is a member":       &chaos.Membership{Add: []string{"n1"}},
		"n9: no such machine":       &chaos.Membership{Add: []string{"n9"}},
		"core-03 is outside the cl": &chaos.Wipe{Node: one("n3")},
	} {
		if _, err := k.client.Strike(t.Context(), order(t, p.Kind(), p, 0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	k.ground.said()
	k.strike(&chaos.Membership{Add: []string{"n3"}})
	want := []string{"member add http://172.17.8.103:2380", "admit core-03 172.17.8.103 ", "boot core-03"}
	if diff := cmp.Diff(want, k.ground.said()); diff != "" || k.seat("core-03") != "" {
		t.Error(diff)
	}
}

// TestMembersOfFixedLabs are not touched.
func TestMembersOfFixedLabs(t *testing.T) {
	k := keep(t, &fake{fixed: true}, three)
	k.up()
	_, err := k.client.Strike(t.Context(), order(t, chaos.KindWipe, &chaos.Wipe{Node: one("n2")}, 0))
	if err == nil || !strings.Contains(err.Error(), "wipe: the driver fake can't") || k.ground.Vitals("core-02").Power != lab.PowerOn {
		t.Errorf("got %v", err)
	}
}
