package labworld

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"drydock/chaos"
	"drydock/node/labcontrol"
	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
	"drydock/vmlab/wire/fabric"
)

// usual makes links and disks what they are while no fault is on them, as far as the
// scenario asks for more than usual: a real network's tail, and a real disk's times, are
// its own.
func (r *run) usual() error {
	if err := r.usualLinks(); err != nil {
		return err
	}
	std := scenario.Default().Disk
	if !r.world.controls() || !r.world.near() || r.s.Disk == std {
		return nil
	}
	d := r.s.Disk
	text, err := json.Marshal(labcontrol.Usual{Least: d.Fsync, Jitter: d.Jitter, Tail: float64(d.Tail), TailMost: d.TailLatency})
	if err != nil {
		return err
	}
	for i := range r.site.Machines {
		if m := &r.site.Machines[i]; m.Role == lab.RoleMember {
			file := r.ground.Control(m.Name) + labcontrol.UsualSuffix
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// usualLinks has frames of the tail held back, and with them what comes behind.
func (r *run) usualLinks() error {
	std, n := scenario.Default().Network, r.s.Network
	sw := r.ground.Wire()
	if sw == nil || n.Tail == 0 || n.Tail == std.Tail && n.TailLatency == std.TailLatency {
		return nil
	}
	_, err := sw.Impair(fabric.Rule{Name: "network.tail of the scenario", Pairs: r.allPairs(), Effect: tail(n.Tail, n.TailLatency), Base: true})
	return err
}

// tail holds frames back by a chance, each by up to most.
func tail(chance chaos.Probability, most time.Duration) fabric.Effect {
	return fabric.Effect{Reorder: chance, Window: most}
}

// allPairs are all links between machines.
func (r *run) allPairs() []fabric.Pair {
	var list []fabric.Pair
	for i := range r.site.Machines {
		for k := range r.site.Machines {
			if i != k {
				list = append(list, fabric.Pair{From: r.site.Machines[i].Name, To: r.site.Machines[k].Name})
			}
		}
	}
	return list
}
