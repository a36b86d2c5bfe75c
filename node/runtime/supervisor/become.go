package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock/node/runtime/lease"
	"drydock/node/supervise"
	"drydock/node/unit"
)

// becomeName is the name under which the program is run to become a unit's
// process, and the file descriptors that it then finds.
const (
	becomeName = "drydock-become"
	specFD     = 3
	verdictFD  = 4
	firstSock  = 5
)

// spec is what a process is to become: what can only be set up from within.
type spec struct {
	Path        string
	Args        []string
	Environment []string
	// Directory is where it starts, which it may miss if DirectoryOptional.
	Directory         string
	DirectoryOptional bool
	// Groups are the cgroup.procs files that it enters.
	Groups []string
	// Credentials are set if UID isn't negative.
	UID, GID      int
	Supplementary []int
	UMask, Nice   int
	OOMScore      *int
	Limits        []unit.Limit
	// Sockets is how many it is handed, SocketNames what they are called.
	Sockets     int
	SocketNames []string
	Watchdog    bool
	// Lease is the file of the lease that it needs, if it needs one.
	Lease string
	// Parent is the supervisor, which must live until the program takes over: a next
	// life of it wouldn't find a process on its way into the unit's group.
	Parent int
}

// failure is what keeps a process from becoming what it should.
type failure struct {
	Code int
	Why  string
}

// Become makes this process what a supervisor has started it for, if one has, and
// else returns false. It is to be called first of all, and the caller ends if it
// returns true: then something was wrong, which the supervisor knows already.
func Become() bool {
	if len(os.Args) == 0 || os.Args[0] != becomeName {
		return false
	}
	verdict := keepAway(verdictFD)
	err := become(verdict)
	text, _ := json.Marshal(failure{Code: err.code, Why: err.Error()})
	_, _ = unix.Write(verdict, text)
	return true
}

// keepAway moves a file descriptor out of the way of those that sockets get, and
// closes it when the program takes over: that is how the supervisor hears of it.
func keepAway(fd int) int {
	if high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 512); err == nil {
		_ = unix.Close(fd)
		return high
	}
	unix.CloseOnExec(fd)
	return fd
}

// stepError is a step that failed, with systemd's exit code for it.
type stepError struct {
	code int
	err  error
}

func (e *stepError) Error() string { return e.err.Error() }

func (e *stepError) Unwrap() error { return e.err }

func at(code int, err error, what string) *stepError {
	if err == nil {
		return nil
	}
	return &stepError{code, fmt.Errorf("%s: %w", what, err)}
}

// become returns only if it failed.
func become(verdict int) *stepError {
	text, err := io.ReadAll(os.NewFile(specFD, "spec"))
	var s spec
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return at(-1, err, "reading what to become")
	}
	_ = unix.Close(specFD)
	// Before this is another user, who may not open it.
	allows, err := s.openLease()
	if err != nil {
		return at(-1, err, "not run")
	}
	if err := s.confine(); err != nil {
		return err
	}
	if err := s.takeSockets(verdict); err != nil {
		return err
	}
	if err := s.changeUser(); err != nil {
		return err
	}
	if err := os.Chdir(s.Directory); err != nil {
		if !s.DirectoryOptional || !errors.Is(err, fs.ErrNotExist) {
			return at(supervise.ExitChdir, err, "WorkingDirectory")
		}
		if err := os.Chdir("/"); err != nil {
			return at(supervise.ExitChdir, err, "WorkingDirectory")
		}
	}
	program, err := find(s.Path, s.Environment)
	if err != nil {
		return at(supervise.ExitExec, err, s.Path)
	}
	// Last of all: whoever started this process may have been stopped for long, and
	// the machine's guard has looked for what runs already.
	if err := allows(); err != nil {
		return at(-1, err, "not run")
	}
	if os.Getppid() != s.Parent {
		return at(-1, errors.New("the supervisor has ended"), "not run")
	}
	return at(supervise.ExitExec, syscall.Exec(program, s.Args, s.Environment), program)
}

// openLease opens the lease that the unit needs, and returns what asks it.
func (s *spec) openLease() (allows func() error, err error) {
	if s.Lease == "" {
		return func() error { return nil }, nil
	}
	f, err := lease.Open(s.Lease)
	if err != nil {
		return nil, err
	}
	return f.Check, nil
}

// confine enters the unit's groups and takes on its limits.
func (s *spec) confine() *stepError {
	pid := strconv.Itoa(os.Getpid())
	for _, group := range s.Groups {
		if err := os.WriteFile(group, []byte(pid), 0); err != nil {
			return at(supervise.ExitCgroup, err, "entering the control group")
		}
	}
	if s.OOMScore != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*s.OOMScore)), 0); err != nil {
			return at(supervise.ExitOOMAdjust, err, "OOMScoreAdjust")
		}
	}
	if s.Nice != 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, s.Nice); err != nil {
			return at(supervise.ExitLimits, err, "Nice")
		}
	}
	for _, l := range s.Limits {
		which, ok := resources[l.Name]
		if !ok {
			return at(supervise.ExitLimits, errors.New("this system has no such limit"), "Limit"+l.Name)
		}
		if err := syscall.Setrlimit(which, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return at(supervise.ExitLimits, err, "Limit"+l.Name)
		}
	}
	unix.Umask(s.UMask)
	return nil
}

// takeSockets puts the sockets where programs look for them, from 3 on.
func (s *spec) takeSockets(verdict int) *stepError {
	for i := range s.Sockets {
		from, to := firstSock+i, 3+i
		if to == verdict {
			return at(supervise.ExitFDs, errors.New("too many sockets"), "passing sockets")
		}
		if err := duplicate(from, to); err != nil {
			return at(supervise.ExitFDs, err, "passing sockets")
		}
	}
	for i := max(firstSock, 3+s.Sockets); i < firstSock+s.Sockets; i++ {
		_ = unix.Close(i)
	}
	pid := strconv.Itoa(os.Getpid())
	if s.Sockets > 0 {
		s.Environment = append(s.Environment, "LISTEN_PID="+pid, "LISTEN_FDS="+strconv.Itoa(s.Sockets),
			"LISTEN_FDNAMES="+strings.Join(s.SocketNames, ":"))
	}
	if s.Watchdog {
		s.Environment = append(s.Environment, "WATCHDOG_PID="+pid)
	}
	return nil
}

func (s *spec) changeUser() *stepError {
	if s.UID < 0 {
		return nil
	}
	if os.Getuid() != 0 && s.UID == os.Getuid() && s.GID == os.Getgid() {
		return nil // it is that user already, who may not set groups
	}
	if err := syscall.Setgroups(s.Supplementary); err != nil {
		return at(supervise.ExitGroup, err, "SupplementaryGroups")
	}
	if err := syscall.Setgid(s.GID); err != nil {
		return at(supervise.ExitGroup, err, "Group")
	}
	return at(supervise.ExitUser, syscall.Setuid(s.UID), "User")
}

// find returns a program's file: one without a slash is looked for in the unit's
// own $PATH.
func find(program string, environment []string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	dirs := searchPath
	for _, v := range environment {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			dirs = value
		}
	}
	for _, dir := range filepath.SplitList(dirs) {
		if file := filepath.Join(dir, program); filepath.IsAbs(file) {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("%w in %s", exec.ErrNotFound, dirs)
}
