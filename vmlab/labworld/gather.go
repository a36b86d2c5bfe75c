package labworld

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drydock/vmlab/lab"
)

const (
	// gatheredDir is below the lab's directory.
	gatheredDir = "gathered"
	// gatherTime is how long it may take to get what a machine's node has kept.
	gatherTime = 90 * time.Second
	// nodeUnit is what systemd calls a node.
	nodeUnit = "etcd.service"
)

// gather stops the nodes of machines whose disks can't be read from here, and copies
// what they have kept.
func (r *run) gather(ctx context.Context) error {
	if r.world.near() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	var errs []error
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		if m.Role != lab.RoleMember || r.seats[m.Name].outside.Load() {
			continue
		}
		if err := r.gatherOne(ctx, m); err != nil {
			errs = append(errs, fmt.Errorf("%s: what its node has kept: %v", m.Name, err)) // not the run's deadline
		}
	}
	return errors.Join(errs...)
}

func (r *run) gatherOne(ctx context.Context, m *lab.Machine) error {
	a, err := r.ground.Access(m.Name)
	if err != nil {
		return err
	}
	out, err := os.CreateTemp(r.site.Dir, "gather-")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(out.Close(), os.Remove(out.Name())) }()
	none, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = none.Close() }()
	code, err := r.world.driver.Exec(ctx, a, lab.Command{
		// The node's unit may restart it by itself: only stopped, it lets go of its files.
		Args:  []string{"/bin/sh", "-c", "systemctl stop " + nodeUnit + " && tar -C " + lab.GuestData + " -cSf - ."},
		Stdin: none, Stdout: out, Stderr: none, Program: r.site.Binary,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("tar ended with %d", code)
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return untar(out, r.dataDir(m))
}

// untar writes an archive's files below a directory.
func untar(in io.Reader, dir string) error {
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(strings.TrimPrefix(h.Name, "./"))
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%q is no file's place", h.Name)
		}
		place := filepath.Join(dir, name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(place, 0o755)
		case tar.TypeReg, tar.TypeGNUSparse:
			err = writeFrom(t, place)
		}
		if err != nil {
			return err
		}
	}
}

// writeFrom makes a file of what is read.
func writeFrom(in io.Reader, place string) error {
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(place, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close())
}
