package netns

import (
	"context"
	"errors"
	"os"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var list []lab.Finding
	try := func(what, fix string, do func() (string, error)) bool {
		began := time.Now()
		detail, err := do()
		f := lab.Finding{What: what, OK: err == nil, Needed: true, Detail: detail}
		if err != nil {
			f.Detail, f.Fix = err.Error(), fix
		}
		f.Took = time.Since(began)
		list = append(list, f)
		return f.OK
	}
	root := try("root", "sudo drydock lab doctor", func() (string, error) {
		if os.Geteuid() != 0 {
			return "", errors.New("this is not root")
		}
		return "", nil
	})
	groups := try("control groups of version 2", "mount -t cgroup2 none /sys/fs/cgroup/unified", func() (string, error) {
		_, err := parts.FindHierarchies()
		return "", err
	})
	if root && groups {
		try("a machine boots", "drydock lab up shows its console", func() (string, error) { return "", d.bootOne(ctx) })
	}
	return list
}

// bootOne makes a lab of one machine, boots it and removes it.
func (d driver) bootOne(ctx context.Context) (err error) {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "drydock-doctor-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	spec := lab.Default(1)
	site := lab.Site{Lab: "doctor", Dir: dir, Binary: binary, Spec: spec, Machines: spec.MachineList(), Token: "doctor", JoinToken: "doctor"}
	g, err := d.Open(ctx, site)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	return g.Boot(ctx, &site.Machines[0])
}
