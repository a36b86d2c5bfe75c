package cmd_test

import (
	"slices"
	"strings"
	"testing"

	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

// members waits until the machines that are to be members are, healthy and with a vote.
func (s *shell) members(names ...string) {
	s.t.Helper()
	s.until("members "+strings.Join(names, " "), func(st *keeper.Status) bool {
		var there []string
		for _, m := range st.Machines {
			if m.Healthy && (m.State == "leader" || m.State == "follower") {
				there = append(there, m.Name)
			}
		}
		return slices.Equal(there, names)
	})
}

// TestMembersByHand: leadership moves, disks are lost, members go and come, what was
// written stays; and a unit is killed.
func TestMembersByHand(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.write("lab.yaml", "lab: members\ncontrol: true\nmachines: [{name: core, count: 3, ports: []}]\n")
	s.must("lab", "up", "-c", "lab.yaml")
	s.exec("core-01", "etcdctl set /message Hello")
	before := s.exec("core-01", "etcdctl member list")

	s.members("core-01", "core-02", "core-03")
	if out := s.must("lab", "fault", "transfer-leadership"); !strings.Contains(out, "transfer leadership to core-0") || !strings.Contains(out, "(from core-0") {
		t.Errorf("transfer-leadership: %q", out)
	}
	s.members("core-01", "core-02", "core-03")
	if out := s.must("lab", "fault", "wipe", "core-02"); out != "wipe core-02\n" {
		t.Errorf("wipe: %q", out)
	}
	if out, code := s.run("lab", "fault", "wipe", "core-01"); code != 4 || !strings.Contains(out, "the disk of core-02 is lost") {
		t.Errorf("a second disk: exit status %d, %q", code, out)
	}
	if out := s.must("lab", "status"); !strings.Contains(out, "disk lost") {
		t.Errorf("status:\n%s", out)
	}
	if out := s.must("lab", "fault", "heal"); out != "restart core-02\n" {
		t.Errorf("heal: %q", out)
	}
	s.members("core-01", "core-02", "core-03")
	if out := s.must("lab", "fault", "replace", "core-03"); !strings.Contains(out, "back as a new member") {
		t.Errorf("replace: %q", out)
	}
	s.must("lab", "fault", "membership", "remove=core-01")
	s.must("lab", "fault", "heal")
	s.members("core-02", "core-03")
	s.must("lab", "apply", "-c", "lab.yaml")
	s.members("core-01", "core-02", "core-03")

	for _, name := range []string{"core-01", "core-02", "core-03"} {
		if out := s.exec(name, "etcdctl get --quorum /message"); out != "Hello\n" {
			t.Errorf("%s has %q", name, out)
		}
	}
	after := s.exec("core-01", "etcdctl member list")
	for line := range strings.Lines(before) {
		if id, _, _ := strings.Cut(line, ":"); id == "" || strings.Contains(after, id) {
			t.Errorf("all are new members: before\n%safter\n%s", before, after)
		}
	}
	for _, m := range s.status().Machines {
		if m.Seat != "" || m.Power != lab.PowerOn {
			t.Errorf("%s: %q, %s", m.Name, m.Seat, m.Power)
		}
	}
	s.unitDies()
	s.must("lab", "down")
}

// unitDies kills a unit where it runs.
func (s *shell) unitDies() {
	s.t.Helper()
	s.exec("core-01", `cd /var/lib/drydock && printf '[Service]\nExecStart=/bin/sleep 1000\n' > a.service && fleetctl start a.service`)
	running := func(want int) func(*keeper.Status) bool {
		return func(st *keeper.Status) bool {
			units := 0
			for _, m := range st.Machines {
				units += max(m.Units, 0)
			}
			return units == want
		}
	}
	s.until("the unit runs", running(1))
	if out := s.must("lab", "fault", "unit-crash", "node=core-01,core-02,core-03"); !strings.Contains(out, "(a.service on core-0") {
		s.t.Errorf("unit-crash: %q", out)
	}
	s.until("it runs no more", running(0))
}
