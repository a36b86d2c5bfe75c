package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"drydock/node/agent"
	"drydock/node/machine/guard"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"
)

// recordFile is where the run directory has the agent's record.
const recordFile = "record.json"

// recordVersion is of the file's form.
const recordVersion = 1

// ErrRecord is matched when the record can't be understood.
var ErrRecord = errors.New("machine: bad " + recordFile)

// recordJSON is the file.
type recordJSON struct {
	Version int           `json:"version"`
	Record  *agent.Record `json:"record"`
}

// write keeps a record and tells the guard which units it must spare.
func (m *Machine) write(r *agent.Record) error {
	text, err := json.Marshal(recordJSON{Version: recordVersion, Record: r})
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(m.o.RunDir, recordFile), text, 0o600); err != nil {
		return err
	}
	return m.keeper.SetGlobals(r.Spare())
}

// readRecord reads what an earlier life has kept, nil if there was none.
func readRecord(dir string) (*agent.Record, error) {
	path := filepath.Join(dir, recordFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var j recordJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRecord, path, err)
	}
	if j.Version != recordVersion || j.Record == nil {
		return nil, fmt.Errorf("%w: %s: version %d, this release reads %d", ErrRecord, path, j.Version, recordVersion)
	}
	return j.Record, nil
}

// remains is what an earlier life has left. A record that can't be read is none: what
// runs is then not known to be wanted, and killed.
func (m *Machine) remains() (agent.Remains, error) {
	var was agent.Remains
	var err error
	if was.Record, err = readRecord(m.o.RunDir); err != nil {
		m.log.Warn("what an earlier life of this node has left is not known: its units are killed", "err", err)
	}
	until := m.keeper.Lease()
	if at, timed := until.Time(); timed && until.Allows(lease.Now()) {
		was.Deadline = at
	}
	was.Found, err = supervisor.Recorded(filepath.Join(m.o.RunDir, guard.UnitsDir))
	if err != nil {
		return was, err
	}
	for _, s := range m.runtime.List() {
		if !slices.Contains(was.Found, s.Name) {
			was.Found = append(was.Found, s.Name)
		}
	}
	slices.Sort(was.Found)
	return was, nil
}
