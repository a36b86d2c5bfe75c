package labworld

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drydock/vmlab/lab"
)

// remains are what a run has left: its lab's directory, with each machine's console and
// what its node kept. It implements runner.Remains.
type remains struct {
	dir     string
	scratch *lab.Scratch
	name    string // of the scenario and its seed
}

// stampOf names directories so that they list in order.
const stampOf = "20060102-150405"

// Keep implements runner.Remains.
func (r remains) Keep(dir string) (string, error) {
	place, err := filepath.Abs(filepath.Join(dir, time.Now().UTC().Format(stampOf)+"-"+r.name))
	if err != nil {
		return "", err
	}
	machines, err := os.ReadDir(filepath.Join(r.dir, "machines"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("no machine has been on")
	}
	if err != nil {
		return "", err
	}
	for _, m := range machines {
		from, to := filepath.Join(r.dir, "machines", m.Name()), filepath.Join(place, m.Name())
		if err := os.MkdirAll(to, 0o755); err != nil {
			return "", err
		}
		for _, one := range []struct{ from, to string }{{"console.log", "console.log"}, {guestData, "data"}} {
			if err := copyTree(filepath.Join(from, one.from), filepath.Join(to, one.to)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return place, nil
}

// Remove implements runner.Remains.
func (r remains) Remove() error { return r.scratch.Close() }

// copyTree copies a file, or a directory's files; what is no file is left out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		into := to + strings.TrimPrefix(path, from)
		switch {
		case d.IsDir():
			return os.MkdirAll(into, 0o755)
		case d.Type().IsRegular():
			return copyFile(path, into)
		}
		return nil
	})
}

// hole is how many zero bytes are left out of a copy: logs are full of them.
const hole = 64 << 10

// copyFile copies a file without its zeros.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var zeros [hole]byte
	part, size := make([]byte, hole), int64(0)
	for {
		n, err := io.ReadFull(in, part)
		if string(part[:n]) != string(zeros[:n]) {
			if _, err := out.WriteAt(part[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out.Truncate(size)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
}
