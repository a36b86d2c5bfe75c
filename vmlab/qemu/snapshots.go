package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/google/renameio/v2"

	"drydock/vmlab/lab"
)

// records is a file that lists a lab's snapshots. It is among what machines have
// written, and goes with that.
type records struct{ file string }

// maxRecords bounds the file, in bytes.
const maxRecords = 16 << 20

// load reads the list.
func (r records) load() ([]lab.Snapshot, error) {
	info, err := os.Stat(r.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > maxRecords:
		return nil, fmt.Errorf("%s: it is %d bytes long, at most %d are read", r.file, info.Size(), maxRecords)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		return nil, err
	}
	list, err := parseRecords(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	return list, nil
}

// parseRecords reads the list's text. Names are given to QEMU as they are.
func parseRecords(text []byte) ([]lab.Snapshot, error) {
	var list []lab.Snapshot
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	for i, s := range list {
		if !lab.IsName(s.Name) {
			return nil, fmt.Errorf("%d: %q is no name of a snapshot", i, s.Name)
		}
	}
	return list, nil
}

// find returns a snapshot; the error matches lab.ErrNoSnapshot if there is none.
func (r records) find(name string) (*lab.Snapshot, error) {
	list, err := r.load()
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Name == name {
			return &list[i], nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, lab.ErrNoSnapshot)
}

// add puts one at the end of the list.
func (r records) add(s *lab.Snapshot) error {
	list, err := r.load()
	if err != nil {
		return err
	}
	return r.save(append(list, *s))
}

// drop takes one from the list.
func (r records) drop(name string) error {
	list, err := r.load()
	if err != nil {
		return err
	}
	return r.save(slices.DeleteFunc(list, func(s lab.Snapshot) bool { return s.Name == name }))
}

func (r records) save(list []lab.Snapshot) error {
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(r.file, append(text, '\n'), 0o600)
}
