package guard

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"drydock/node/runtime/docker"
	"drydock/node/runtime/supervisor"
	"drydock/node/runtime/systemd"
)

// Runtimes say how units run here: what it takes to kill them without the node.
type Runtimes struct {
	// Supervisor is the directory of the supervisor's records, if it runs units.
	Supervisor string `json:"supervisor,omitempty"`
	// Groups names the supervisor's control groups, if it has any: the guard has one of
	// its own beside them.
	Groups string `json:"groups,omitempty"`
	// Systemd is the directory of the files of units that systemd runs, if it does, and
	// SystemdAddress where it listens; empty is the system's.
	Systemd        string `json:"systemd,omitempty"`
	SystemdAddress string `json:"systemdAddress,omitempty"`
	// Docker is the directory of the records of units' containers, if any may have
	// some, and DockerSocket the engine's; empty is the usual one.
	Docker       string `json:"docker,omitempty"`
	DockerSocket string `json:"dockerSocket,omitempty"`
}

// Kill ends all that units have, but for those that spare returns true for. It returns
// when nothing is left, or when the context ends, with an error that names those left.
func (r Runtimes) Kill(ctx context.Context, spare func(unit string) bool) error {
	var errs [3]error
	var all sync.WaitGroup
	// At once: none of them may keep another from killing.
	if r.Supervisor != "" {
		all.Go(func() { errs[0] = supervisor.KillOrphans(ctx, r.Supervisor, spare) })
	}
	if r.Systemd != "" {
		all.Go(func() {
			errs[1] = systemd.KillUnits(ctx, systemd.Options{Address: r.SystemdAddress, Dir: r.Systemd}, spare)
		})
	}
	if r.Docker != "" {
		all.Go(func() {
			errs[2] = docker.KillContainers(ctx, docker.Options{Socket: r.DockerSocket, Dir: r.Docker}, spare)
		})
	}
	all.Wait()
	if r.Docker != "" {
		// A command that was killed in the midst of a start has had its container come up
		// after the others were gone.
		errs[2] = errors.Join(errs[2], docker.KillContainers(ctx, docker.Options{Socket: r.DockerSocket, Dir: r.Docker}, spare))
	}
	return errors.Join(errs[:]...)
}

// readRuntimes reads what the node has written down; a file that can't be read names
// all that there could be.
func readRuntimes(dir string) Runtimes {
	var r Runtimes
	text, err := os.ReadFile(filepath.Join(dir, setupFile))
	if err != nil || json.Unmarshal(text, &r) != nil {
		units := filepath.Join(dir, UnitsDir)
		r = Runtimes{Supervisor: units, Docker: units}
	}
	return r
}
