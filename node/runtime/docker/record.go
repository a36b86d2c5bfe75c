package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// maxStarts bounds the starts that are remembered of a unit.
const maxStarts = 32

// record is what must be known of a unit to find its containers.
type record struct {
	Unit   string  `json:"unit"`
	Claims []claim `json:"claims"`
	// Starts are when it was started, or started again, oldest first.
	Starts []time.Time `json:"starts,omitempty"`
}

// recordFile begins with a dot: others take what doesn't for a unit's.
func recordFile(dir, unit string) string { return filepath.Join(dir, recordPrefix+unit) }

const recordPrefix = ".docker-"

// started adds a start.
func (r *record) started(at time.Time) {
	r.Starts = append(r.Starts, at)
	if extra := len(r.Starts) - maxStarts; extra > 0 {
		r.Starts = r.Starts[extra:]
	}
}

func (r *record) save(dir string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return renameio.WriteFile(recordFile(dir, r.Unit), text, 0o600)
}

// readRecord returns the record of a unit, and false if there is none.
func readRecord(file string) (r record, ok bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		r, err = parseRecord(text)
	}
	if err != nil {
		return record{}, false, fmt.Errorf("%s: %w", file, err)
	}
	return r, true, nil
}

func parseRecord(text []byte) (r record, err error) {
	if err = json.Unmarshal(text, &r); err == nil && r.Unit == "" {
		err = errors.New("it names no unit")
	}
	return r, err
}

// readRecords returns all records in a directory. One that can't be read keeps no
// other from being used.
func readRecords(dir string) (list []record, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var errs []error
	for _, e := range entries {
		unit, ok := strings.CutPrefix(e.Name(), recordPrefix)
		if !ok {
			continue
		}
		r, ok, err := readRecord(recordFile(dir, unit))
		if ok {
			list = append(list, r)
		}
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
}
