package lab

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Root is where labs are kept, below the working directory.
const Root = ".drydock/labs"

// stateVersion is the version of State's form; older ones are read, newer refused.
const stateVersion = 1

// State is what a lab's directory says of it.
type State struct {
	Version int       `json:"version"`
	Lab     string    `json:"lab"`
	Driver  string    `json:"driver"`
	Created time.Time `json:"created"`
	// Token is the cluster's, drawn at each new up; JoinToken is what workers know.
	Token     string    `json:"token"`
	JoinToken string    `json:"joinToken"`
	Spec      *Spec     `json:"spec"`
	Machines  []Machine `json:"machines"`
	// Places are the addresses of all machines that the lab has had, by name: one that
	// comes back has its own, and nobody has another's, whom others may remember.
	Places map[string]netip.Addr `json:"places,omitempty"`
	// Undo lists, before they are applied, the faults that would outlive the
	// keeper.
	Undo []string `json:"undo,omitempty"`
}

// Errors about a lab's directory.
var (
	// ErrNoLab is matched when there is no lab of that name.
	ErrNoLab = errors.New("no such lab")
	// ErrBusy is matched when another command is at work on the lab.
	ErrBusy = errors.New("another command is at work on it")
	// ErrNewer is matched when a newer program has written the state.
	ErrNewer = errors.New("a newer drydock has written it")
)

// Store is a lab's directory.
type Store struct {
	// Dir is its absolute path.
	Dir string
}

// OpenStore returns the directory of a lab below root, which need not exist.
func OpenStore(root, name string) (Store, error) {
	if !IsName(name) {
		return Store{}, fmt.Errorf("%q is no name of a lab: small letters, digits and hyphens", name)
	}
	dir, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		return Store{}, err
	}
	return Store{Dir: dir}, nil
}

// List returns the names of the labs below root, sorted.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && IsName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Name is the lab's.
func (s Store) Name() string { return filepath.Base(s.Dir) }

// file is a file of the directory.
func (s Store) file(name string) string { return filepath.Join(s.Dir, name) }

// KeeperLog is the file that the lab's keeper writes to.
func (s Store) KeeperLog() string { return s.file("keeper.log") }

// Binary is the program that the lab's machines run.
func (s Store) Binary() string { return s.file("bin/drydock") }

// Load reads the state. The error matches ErrNoLab if there is none.
func (s Store) Load() (*State, error) {
	text, err := os.ReadFile(s.file("state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", s.Name(), ErrNoLab)
	}
	if err != nil {
		return nil, err
	}
	return parseState(s.file("state.json"), text)
}

func parseState(name string, text []byte) (*State, error) {
	st := new(State)
	if err := json.Unmarshal(text, st); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case st.Version > stateVersion:
		return nil, fmt.Errorf("%s: version %d: %w", name, st.Version, ErrNewer)
	case st.Version < 1 || !IsName(st.Lab) || st.Spec == nil || len(st.Machines) == 0:
		return nil, fmt.Errorf("%s: it is not a lab's state", name)
	}
	return st, nil
}

// Save writes the state, all of it or nothing.
func (s Store) Save(st *State) error {
	st.Version = stateVersion
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(s.file("state.json"), append(text, '\n'), 0o600)
}

// Lock has the lab for one command, until the file is closed or the process ends.
// The directory is made. The error matches ErrBusy if another command has it.
func (s Store) Lock() (*os.File, error) { return s.lock("lock") }

// LockKeeper has the lab for its keeper; the error matches ErrBusy if one lives.
func (s Store) LockKeeper() (*os.File, error) { return s.lock("keeper.lock") }

// KeeperPid is the process id that a keeper has noted; 0 if none has.
func (s Store) KeeperPid() int {
	text, err := os.ReadFile(s.file("keeper.pid"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 if it is none
	return pid
}

// NoteKeeper notes that this process is the lab's keeper.
func (s Store) NoteKeeper() error {
	return os.WriteFile(s.file("keeper.pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
}

func (s Store) lock(name string) (*os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.file(name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("the lab %s: %w", s.Name(), ErrBusy)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// KeeperLives says whether a keeper has the lab.
func (s Store) KeeperLives() bool {
	if _, err := os.Stat(s.file("keeper.lock")); err != nil {
		return false
	}
	f, err := s.LockKeeper()
	if err != nil {
		return true
	}
	_ = f.Close()
	return false
}

// Remove removes the directory and all in it. Nothing may be mounted there.
func (s Store) Remove() error {
	mounts, err := mountsBelow(s.Dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s is mounted: the lab's directory stays", mounts[0])
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		return err
	}
	// Of the directories above, those that are empty now.
	for dir, n := filepath.Dir(s.Dir), 0; n < 2 && os.Remove(dir) == nil; n++ {
		dir = filepath.Dir(dir)
	}
	return nil
}

// Settle takes note of the lab file and the machines that there are from now on.
func (s *State) Settle(spec *Spec, machines []Machine) {
	s.Spec, s.Machines = spec, machines
	places := maps.Clone(s.Places)
	if places == nil {
		places = map[string]netip.Addr{}
	}
	for i := range machines {
		places[machines[i].Name] = machines[i].Address
	}
	s.Places = places
}

// NewState is the state of a lab that is about to be made, with tokens that no lab
// had before.
func NewState(spec *Spec, now time.Time) *State {
	s := &State{Lab: spec.Name, Driver: spec.Driver, Created: now, Token: draw(), JoinToken: draw()}
	s.Settle(spec, spec.MachineList())
	return s
}

// Anew is the state of a lab that is made again as it was, with new tokens.
func (s *State) Anew(now time.Time) *State {
	st := NewState(s.Spec, now)
	for i := range st.Machines {
		m := &st.Machines[i]
		for _, old := range s.Machines { // what a file of user-data said, which may be gone
			if old.Name == m.Name {
				m.CloudConfig, m.Client, m.Peer = old.CloudConfig, old.Client, old.Peer
			}
		}
	}
	return st
}

func draw() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Site is where a driver makes the lab.
func (s Store) Site(st *State) Site {
	return Site{
		Lab: st.Lab, Dir: s.Dir, Binary: s.Binary(), Spec: st.Spec,
		Machines: slices.Clone(st.Machines), Token: st.Token, JoinToken: st.JoinToken, Control: st.Spec.Control,
	}
}
