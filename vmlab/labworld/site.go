package labworld

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
)

// runLab is what the labs of runs are called.
const runLab = "run"

// siteOf is the lab that a scenario asks for. Machines are named as its nodes are.
func siteOf(w world, s *scenario.Scenario, seed uint64, dir string) (*lab.Site, error) {
	spec, machines, err := specOf(w, s, seed)
	if err != nil {
		return nil, err
	}
	return &lab.Site{
		Lab: runLab, Dir: dir, Binary: w.binary, Spec: spec, Control: w.controls(), Token: "run", JoinToken: "run",
		Machines: machines,
	}, nil
}

// specOf is its lab file, and the machines: members that are there at the start, those
// that join later, and workers.
func specOf(w world, s *scenario.Scenario, seed uint64) (*lab.Spec, []lab.Machine, error) {
	members := len(s.Nodes())
	spec := lab.Default(1)
	spec.Name, spec.Driver = "run", w.driver.Name()
	spec.Machines[0].Count = members + s.Cluster.Workers
	if spec.Machines[0].Count > lab.MaxMachines {
		return nil, nil, fmt.Errorf("%d machines: a lab has at most %d", spec.Machines[0].Count, lab.MaxMachines)
	}
	spec.Network.Seed = int(seed%1_000_000_000) + 1
	n := s.Network
	spec.Links = []lab.Link{{Delay: n.Latency, Jitter: n.Jitter, Loss: n.Loss, Duplicate: n.Duplicate, Reorder: n.Reorder}}
	machines := spec.MachineList()
	for i := range machines {
		describe(&machines[i], s, i, members)
	}
	return spec, machines, nil
}

// describe makes the i-th machine what the scenario says.
func describe(m *lab.Machine, s *scenario.Scenario, i, members int) {
	m.Ports = nil
	m.Node, m.Role = fmt.Sprintf("n%d", i+1), lab.RoleMember
	k := s.Cluster.Knobs
	m.Flags = []string{
		"--heartbeat-interval", ms(k.Heartbeat), "--election-timeout", ms(k.Election),
		"--machine-lease", ms(leaseOf(s)),
		"--snapshot-count", strconv.Itoa(k.CheckpointEvery), "--snapshot-catchup-entries", strconv.Itoa(max(1, k.CatchUpEntries)),
	}
	units, about := s.Cluster.OnMembers && i < s.Cluster.Members, s.Cluster.Workers+i
	if at := i - members; at >= 0 {
		m.Node, m.Role, units, about = fmt.Sprintf("w%d", at+1), lab.RoleWorker, true, at
	}
	if units {
		offers(m, s.MachineOf(about))
	}
	m.Name = m.Node
	if !units {
		m.Flags = append(m.Flags, "--fleet=false")
	}
	if k.KeepRunning {
		m.Flags = append(m.Flags, "--keep-running-when-isolated")
	}
	m.Joins = m.Role == lab.RoleMember && i >= s.Cluster.Members
}

// offers has a machine say of itself what it is.
func offers(m *lab.Machine, about scenario.Machine) {
	m.Metadata = about.Metadata
	var has []string
	if about.CPU > 0 {
		has = append(has, fmt.Sprintf("cpu=%g", about.CPU))
	}
	if about.Memory > 0 {
		has = append(has, fmt.Sprintf("memory=%dM", about.Memory))
	}
	m.Flags = append(m.Flags, "--resources", strings.Join(append(has, "none")[:max(1, len(has))], ","))
}

func ms(d time.Duration) string { return d.String() }
