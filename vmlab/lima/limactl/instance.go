package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/lima-vm/lima/pkg/instance"
	"github.com/lima-vm/lima/pkg/store"
)

// create makes an instance of a template.
func create(ctx context.Context, name string, template []byte) error {
	if err := store.ValidateInstName(name); err != nil {
		return err
	}
	_, err := instance.Create(ctx, name, template, false)
	return err
}

// find returns an instance, which may have errors of its own.
func find(name string) (*store.Instance, error) {
	inst, err := store.Inspect(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no instance %q", name)
	}
	return inst, err
}

// sound says what is wrong with an instance.
func sound(inst *store.Instance) error {
	if len(inst.Errors) > 0 {
		return fmt.Errorf("%s: %w", inst.Name, errors.Join(inst.Errors...))
	}
	return nil
}

// start switches an instance on. In the foreground this process becomes what keeps it,
// and doesn't return but for an error.
func start(ctx context.Context, name string, foreground bool) error {
	inst, err := find(name)
	if err == nil {
		err = sound(inst)
	}
	if err != nil {
		return err
	}
	if inst.Status == store.StatusRunning {
		return fmt.Errorf("%s is running", name)
	}
	return instance.Start(ctx, inst, "", foreground)
}

// stop switches an instance off.
func stop(ctx context.Context, name string, force bool) error {
	inst, err := find(name)
	if err != nil {
		return err
	}
	if force { // whatever is wrong with it
		instance.StopForcibly(inst)
		return nil
	}
	if err := sound(inst); err != nil {
		return err
	}
	return instance.StopGracefully(ctx, inst, false)
}

// remove deletes an instance; one that isn't there is none.
func remove(ctx context.Context, name string, force bool) error {
	inst, err := store.Inspect(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return instance.Delete(ctx, inst, force)
}

// entry is what list writes of an instance: some of what limactl does, by its names.
type entry struct {
	Name         string       `json:"name"`
	Status       store.Status `json:"status"`
	Dir          string       `json:"dir"`
	VMType       string       `json:"vmType"`
	CPUs         int          `json:"cpus"`
	Memory       int64        `json:"memory"`
	Disk         int64        `json:"disk"`
	SSHLocalPort int          `json:"sshLocalPort,omitempty"`
	HostAgentPID int          `json:"hostAgentPID,omitempty"`
	DriverPID    int          `json:"driverPID,omitempty"`
	Errors       []string     `json:"errors,omitempty"`
}

// list writes a line for each instance.
func list(w io.Writer) error {
	names, err := store.Instances()
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	for _, name := range names {
		inst, err := store.Inspect(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		e := entry{
			Name: inst.Name, Status: inst.Status, Dir: inst.Dir, VMType: inst.VMType, CPUs: inst.CPUs, Memory: inst.Memory,
			Disk: inst.Disk, SSHLocalPort: inst.SSHLocalPort, HostAgentPID: inst.HostAgentPID, DriverPID: inst.DriverPID,
		}
		for _, err := range inst.Errors {
			e.Errors = append(e.Errors, err.Error())
		}
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return nil
}
