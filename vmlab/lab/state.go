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

// OpenStore returns the directory of a lab below root, which need not exist. However
// the directory above root is reached, by symbolic links or not, the lab is the same:
// what it leaves is found by its directory's name.
func OpenStore(root, name string) (Store, error) {
	if !IsName(name) {
		return Store{}, fmt.Errorf("%q is no name of a lab: small letters, digits and hyphens", name)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return Store{}, err
	}
	above, err := resolved(filepath.Dir(root))
	if err != nil {
		return Store{}, err
	}
	return Store{Dir: filepath.Join(above, filepath.Base(root), name)}, nil
}

// resolved is a path without symbolic links, as far as it is there.
func resolved(path string) (string, error) {
	whole, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
		return whole, err
	}
	above, err := resolved(filepath.Dir(path))
	return filepath.Join(above, filepath.Base(path)), err
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
	for i := range st.Machines { // whose directories are made and removed
		if one := st.Machines[i].Name; one != filepath.Base(one) || one == "." || one == ".." {
			return nil, fmt.Errorf("%s: machines[%d].name: %q is not a name", name, i, one)
		}
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
func (s Store) Lock() (*os.File, error) { return s.lock("lock", unix.LOCK_EX) }

// LockKeeper has the lab for its keeper; the error matches ErrBusy if one lives.
func (s Store) LockKeeper() (*os.File, error) {
	for end := time.Now().Add(looking); ; {
		f, err := s.lock(keeperLock, unix.LOCK_EX)
		if !errors.Is(err, ErrBusy) || time.Now().After(end) {
			return f, err
		}
		time.Sleep(time.Millisecond)
	}
}

// keeperLock is the file that a keeper has locked, and looking is how long those may
// take who have it for the moment of a look (KeeperLives).
const (
	keeperLock = "keeper.lock"
	looking    = 200 * time.Millisecond
)

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

func (s Store) lock(name string, how int) (*os.File, error) {
	for tries := 0; ; tries++ {
		err := os.MkdirAll(s.Dir, 0o755)
		var f *os.File
		if err == nil {
			f, err = os.OpenFile(s.file(name), os.O_CREATE|os.O_RDWR, 0o600)
		}
		// MkdirAll says that it exists when somebody made it and somebody removed it.
		if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) && tries < 100 {
			continue // the lab is being removed
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("the lab %s: %w", s.Name(), ErrBusy)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if s.has(f, name) {
			return f, nil
		}
		_ = f.Close() // it is that of a lab which was removed meanwhile
	}
}

// has says whether an open file is the one of a name.
func (s Store) has(f *os.File, name string) bool {
	own, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(s.file(name))
	return err == nil && os.SameFile(own, now)
}

// KeeperLives says whether a keeper has the lab.
func (s Store) KeeperLives() bool {
	if _, err := os.Stat(s.file(keeperLock)); err != nil {
		return false
	}
	f, err := s.lock(keeperLock, unix.LOCK_SH) // others may look at the same time
	if err != nil {
		return true
	}
	_ = f.Close()
	return false
}

// files are what labs' directories have, beside state.json; names ending in a star are
// any that begin so.
var files = []string{
	"lock", keeperLock, "keeper.pid", "keeper.log", "keeper.sock", "bin", "machines", "images", "lima", "ssh_key", ".state.json*",
}

// Remove removes the directory and all in it. Nothing may be mounted there, and what
// has no state must look as one that was never completed.
func (s Store) Remove() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "state.json" }) {
		for _, e := range entries {
			if !slices.ContainsFunc(files, func(known string) bool { ok, _ := filepath.Match(known, e.Name()); return ok }) {
				return fmt.Errorf("%s: it is not a lab's directory: it has %s, and no state.json", s.Dir, e.Name())
			}
		}
	}
	if err := unmounted(s.Dir); err != nil {
		return err
	}
	if err := s.discard(); err != nil {
		return err
	}
	// Of the directories above, those that are empty now.
	for dir, n := filepath.Dir(s.Dir), 0; n < 2 && os.Remove(dir) == nil; n++ {
		dir = filepath.Dir(dir)
	}
	return nil
}

// discard removes the directory, out of its name first: whoever makes a lab of that name
// meanwhile keeps it.
func (s Store) discard() error {
	prefix := filepath.Join(filepath.Dir(s.Dir), ".removing-"+s.Name()+"-")
	left, _ := filepath.Glob(prefix + "*") // the pattern is right
	for _, dir := range left {
		_ = RemoveTree(dir) // of one that was killed, or somebody is at it
	}
	for {
		into, err := os.MkdirTemp(filepath.Dir(prefix), filepath.Base(prefix))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there is no lab at all
		}
		if err != nil {
			return err
		}
		err = os.Rename(s.Dir, filepath.Join(into, s.Name()))
		if _, gone := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) && gone == nil {
			continue // into was taken for somebody's that was killed
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, removeAll(into))
	}
}

// removeAll removes a directory into which somebody may just be putting a last file, by
// the name that it had.
func removeAll(dir string) error {
	for range 100 {
		if err := os.RemoveAll(dir); !errors.Is(err, unix.ENOTEMPTY) {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// RemoveMachines removes what the machines have written.
func (s Store) RemoveMachines() error { return RemoveTree(s.file("machines")) }

// RemoveTree removes a directory and all in it, unless something is mounted there: that
// isn't its own.
func RemoveTree(dir string) error {
	if err := unmounted(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// unmounted says what is mounted in or below a directory, nil if nothing is.
func unmounted(dir string) error {
	whole, err := resolved(dir)
	if err != nil {
		return err
	}
	mounts, err := mountsBelow(whole)
	if err == nil && len(mounts) > 0 {
		err = fmt.Errorf("%s is mounted: %s stays", mounts[0], dir)
	}
	return err
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
