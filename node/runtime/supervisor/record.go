package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/google/renameio/v2"

	"drydock/node/supervise"
)

// record is what a next life of the supervisor must know of a unit that runs.
type record struct {
	// Boot is the system's: after another one nothing is left of the unit.
	Boot       string      `json:"boot,omitempty"`
	Invocation string      `json:"invocation"`
	Main       int         `json:"main,omitempty"`
	Started    uint64      `json:"started,omitempty"`
	Group      groupRecord `json:"group"`
	Notify     bool        `json:"notify,omitempty"`
}

// save writes a unit's record if it has changed, and removes that of one without
// processes.
func (s *Supervisor) save(r *running) {
	if err := s.keep(r); err != nil {
		r.journal.add(sourceSelf, "it can't be taken over if the agent ends now: "+err.Error())
	}
}

// keep is save, and says what went wrong.
func (s *Supervisor) keep(r *running) error {
	if s.opt.Dir == "" {
		return nil
	}
	if r.group == nil {
		s.forget(r)
		return nil
	}
	rec := record{Boot: s.boot, Invocation: r.invocation, Group: r.group.record(), Notify: r.notify != nil}
	if p := s.procs[r.mainID]; p != nil {
		rec.Main, rec.Started = p.pid, p.started
	}
	text, err := json.Marshal(rec)
	if err != nil || bytes.Equal(text, r.saved) {
		return err
	}
	if err := renameio.WriteFile(s.path("unit", r.name), text, 0o600); err != nil {
		return err
	}
	r.saved = text
	return nil
}

func (s *Supervisor) forget(r *running) {
	if s.opt.Dir == "" || r.saved == nil {
		return
	}
	r.saved = nil
	_ = os.Remove(s.path("unit", r.name))
	_ = os.Remove(s.path("output", r.name))
}

// takeOver finds what an earlier life has left of a unit.
func (s *Supervisor) takeOver(r *running) {
	if s.opt.Dir == "" {
		return
	}
	text, err := os.ReadFile(s.path("unit", r.name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var rec record
	if err == nil {
		err = json.Unmarshal(text, &rec)
	}
	if err != nil {
		r.journal.add(sourceSelf, "the record of its processes can't be read: "+err.Error())
		return
	}
	r.saved, r.invocation = text, rec.Invocation
	r.group = rec.group()
	if s.empty(r) {
		r.dropGroup()
		s.forget(r)
		return
	}
	s.reconnect(r, rec)
	main := supervise.ProcID(0)
	if started, ok := startOf(rec.Main); ok && rec.Main > 0 && started == rec.Started {
		main = s.machine.Reserve()
		s.follow(&process{id: main, unit: r, role: supervise.RoleMain}, rec.Main)
	}
	r.journal.add(sourceSelf, "taken over from an earlier life of the agent")
	s.step(supervise.Resume{Unit: r.name, Proc: main})
	s.watchGroups()
}

// reconnect opens again what the unit's processes write to.
func (s *Supervisor) reconnect(r *running, rec record) {
	if _, err := os.Stat(s.path("output", r.name)); err == nil {
		if _, err := s.openOutput(r); err != nil {
			r.journal.add(sourceSelf, "its output is lost: "+err.Error())
		}
	}
	if rec.Notify && r.context != nil {
		who, err := resolve(r.context)
		if err == nil {
			err = s.openNotify(r, who)
		}
		if err != nil {
			r.journal.add(sourceSelf, "its notifications are lost: "+err.Error())
		}
	}
}

// busy says that a directory isn't removed because something is in it.
func busy(err error) bool { return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ENOTEMPTY) }
