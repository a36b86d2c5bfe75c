package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Label is what machines find their config drive's disk by.
const Label = "config-2"

// WriteDisk writes the drive and the lab's program below the directory path, which it
// makes, and a disk's file of that beside it, whose name it returns.
func (d Drive) WriteDisk(ctx context.Context, program, path string) (file string, err error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	if err := d.Write(path); err != nil {
		return "", err
	}
	to := filepath.Join(path, Program)
	if err := remove(to); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	if err := place(program, to); err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	file = path + ".ext4"
	if err := remove(file); err != nil {
		return "", err
	}
	tool, err := Tool()
	if err != nil {
		return "", err
	}
	// No journal: it is only read. root owns all of it, whoever has made it.
	args := []string{"-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-L", Label, "-m", "0", "-d", path, file, fmt.Sprintf("%dM", info.Size()>>20+8)}
	if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", tool, err, out)
	}
	return file, nil
}

// place gives a file another name, or copies it where that can't be: it is on another
// file system, or somebody else's.
func place(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// remove removes a file if it is there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Tool finds the program that makes disks, which is not on every user's path.
func Tool() (string, error) {
	for _, name := range []string{"mke2fs", "/usr/sbin/mke2fs", "/sbin/mke2fs", "/opt/homebrew/opt/e2fsprogs/sbin/mke2fs"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mke2fs is missing: apt-get install e2fsprogs")
}
