package keeper

import (
	"context"
	"sync"
	"time"

	"drydock/vmlab/lab"
)

// Status is how a lab is.
type Status struct {
	Lab      string          `json:"lab"`
	Driver   string          `json:"driver"`
	Created  time.Time       `json:"created"`
	Machines []MachineStatus `json:"machines"`
}

// MachineStatus is how one machine is.
type MachineStatus struct {
	lab.Machine
	lab.Vitals
	// Healthy is its node's own word, Leads and Term what it says of its role; State is
	// leader, follower, candidate, learner or worker, empty for one that doesn't answer.
	Healthy bool   `json:"healthy"`
	State   string `json:"state,omitempty"`
	Term    uint64 `json:"term,omitempty"`
	// Units counts units whose processes it has, by the cluster's word; -1 is not
	// known.
	Units int `json:"units"`
}

// Status looks at all machines at once.
func (k *Keeper) Status(ctx context.Context) *Status {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	site := k.site()
	s := &Status{Lab: k.state.Lab, Driver: k.state.Driver, Created: k.state.Created, Machines: make([]MachineStatus, len(site.Machines))}
	var wait sync.WaitGroup
	for i := range site.Machines {
		m := &site.Machines[i]
		s.Machines[i] = MachineStatus{Machine: *m, Units: -1}
		wait.Go(func() { k.lookAt(ctx, m, &s.Machines[i]) })
	}
	wait.Wait()
	return s
}

func (k *Keeper) lookAt(ctx context.Context, m *lab.Machine, s *MachineStatus) {
	s.Vitals = k.ground.Vitals(m.Name)
	if s.Power != lab.PowerOn || !s.NodeUp {
		return
	}
	var vars struct {
		Raft struct {
			Term  uint64 `json:"term"`
			State string `json:"raftState"`
		} `json:"raft.status"`
	}
	if m.Role == lab.RoleWorker {
		s.State = string(lab.RoleWorker)
	} else if k.get(ctx, m, "/debug/vars", &vars) == nil {
		s.Term, s.State = vars.Raft.Term, stateWord(vars.Raft.State)
		if m.Joins && s.State == "follower" {
			if votes, err := k.votes(ctx, m); err == nil && !votes {
				s.State = "learner"
			}
		}
	}
	var health struct {
		Health string `json:"health"`
	}
	s.Healthy = k.get(ctx, m, "/health", &health) == nil && health.Health == "true"
	var states struct {
		States []struct {
			MachineID string `json:"machineID"`
			Active    string `json:"systemdActiveState"`
		} `json:"states"`
	}
	if k.get(ctx, m, "/fleet/v1/state?machineID="+m.ID, &states) == nil {
		s.Units = 0
		for _, one := range states.States {
			if one.MachineID == m.ID && one.Active == "active" {
				s.Units++
			}
		}
	}
}

// stateWord is how people call what raft calls a state.
func stateWord(raft string) string {
	switch raft {
	case "StateLeader":
		return "leader"
	case "StateFollower":
		return "follower"
	case "StateCandidate", "StatePreCandidate":
		return "candidate"
	}
	return raft
}
