package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// ErrGone is matched when a machine is not what it was when access to it was given.
var ErrGone = errors.New("the machine has been switched off since")

// enterName is the name under which this program is run to run a command on a
// machine. It is a process of its own since it moves, whole, to the machine's
// groups.
const enterName = "drydock-enter"

// errand is what that process is told, in its second argument.
type errand struct {
	Access lab.Access `json:"access"`
	Args   []string   `json:"args"`
	Dir    string     `json:"dir"`
	Env    []string   `json:"env"`
}

// notRun is the exit status of a command that could not be run, as shells have it.
const notRun = 127

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	if parts.Started(a.Pid) != a.Started || a.Started == 0 {
		return 0, fmt.Errorf("%s: %w", a.Machine, ErrGone)
	}
	text, err := json.Marshal(errand{Access: a, Args: c.Args, Dir: c.Dir, Env: c.Env})
	if err != nil {
		return 0, err
	}
	program := c.Program
	if program == "" {
		program = "/proc/self/exe"
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = []string{enterName, string(text)}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return exitCode(cmd.Run())
}

func exitCode(err error) (int, error) {
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// runErrand is that process: it enters the machine, runs the command, passes
// signals on, and ends as the command does.
func runErrand() int {
	var e errand
	err := json.Unmarshal([]byte(os.Args[1]), &e)
	if err == nil {
		var code int
		if code, err = e.run(); err == nil {
			return code
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", e.Access.Machine, err)
	return notRun
}

func (e *errand) run() (int, error) {
	runtime.LockOSThread()
	if err := enter(e.Access); err != nil {
		return 0, err
	}
	if err := renounce(); err != nil {
		return 0, err
	}
	path, err := find(e.Args[0])
	if err != nil {
		return 0, err
	}
	dir := e.Dir
	if dir == "" {
		dir = "/root"
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	cmd := &exec.Cmd{
		Path: path, Args: e.Args, Dir: dir, Env: append([]string{"PATH=" + guestPath, "HOME=/root", "LANG=C.UTF-8"}, e.Env...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			if s != syscall.SIGINT && s != syscall.SIGQUIT { // the terminal sends those to both
				_ = cmd.Process.Signal(s) // it may have ended
			}
		}
	}()
	return exitCode(cmd.Wait())
}

// enter moves the calling thread into the machine, all but the thread's own number;
// children it has from now on are wholly within.
func enter(a lab.Access) error {
	for _, dir := range a.Groups {
		// The whole process goes: a thread alone can't.
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return err
		}
	}
	fd, err := unix.PidfdOpen(a.Pid, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if parts.Started(a.Pid) != a.Started {
		return ErrGone
	}
	// Threads share their root and directory until they say otherwise.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNS|unix.CLONE_NEWNET|unix.CLONE_NEWPID|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC|unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("enter its namespaces: %w", err)
	}
	return nil
}

// find looks a program up along the machines' path, on the calling thread.
func find(name string) (string, error) {
	if filepath.Base(name) != name {
		return name, nil
	}
	for _, dir := range filepath.SplitList(guestPath) {
		at := filepath.Join(dir, name)
		if info, err := os.Stat(at); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return at, nil
		}
	}
	return "", fmt.Errorf("%s: %w in %s", name, exec.ErrNotFound, guestPath)
}
