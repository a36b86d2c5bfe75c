package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"drydock/node/runtime/lease"
)

// Times of a keeper.
const (
	startPatience = 3 * time.Second
	startLook     = 2 * time.Millisecond
	startAgain    = time.Second
	endPatience   = time.Second
)

// maxLogBytes is how much of a guard's log is kept from life to life.
const maxLogBytes = 64 << 10

// Options are what a keeper needs.
type Options struct {
	// Dir is the directory that node and guard share. It is made if it isn't there.
	Dir string
	// Runtimes are what runs units here.
	Runtimes Runtimes
	// Program becomes the guard; empty is this program itself.
	Program string
	// Changed, if not nil, is called when a guard has come or gone. It must not block.
	Changed func(alive bool)
	// Logger takes what becomes of guards; nil for none.
	Logger *slog.Logger

	_ struct{}
}

// Keeper sees to it that a guard lives, and tells it what it must know. Its methods
// may be called by any goroutine.
type Keeper struct {
	o     Options
	log   *slog.Logger
	lock  *os.File
	alive atomic.Bool
	node  *os.File // open while the node lives
	lease *lease.File

	ctx  context.Context
	stop context.CancelFunc
	wait sync.WaitGroup

	mu      sync.Mutex
	globals []string
}

// Keep takes the directory and has a guard for it from here on, which it need not
// start if one lives. The error matches ErrTaken if a node has the directory.
func Keep(o Options) (k *Keeper, err error) {
	if o.Program == "" && !able.Load() {
		return nil, errors.New("guard: this program can't become one: its main function doesn't call Become")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	k = &Keeper{o: o, log: o.Logger}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.lock, err = Lock(filepath.Join(o.Dir, nodeLock)); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	k.ctx, k.stop = context.WithCancel(context.Background())
	if err = k.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("guard: %w", err), k.Close())
	}
	k.wait.Go(k.run)
	return k, nil
}

// open makes what is in the directory.
func (k *Keeper) open() (err error) {
	if k.lease, err = lease.Create(filepath.Join(k.o.Dir, LeaseFile)); err != nil {
		return err
	}
	if err := k.forsake(); err != nil {
		return err
	}
	text, err := json.Marshal(k.o.Runtimes)
	if err != nil {
		return err
	}
	if err = renameio.WriteFile(filepath.Join(k.o.Dir, setupFile), text, 0o600); err != nil {
		return err
	}
	for unit := range globals(k.o.Dir) {
		k.globals = append(k.globals, unit)
	}
	slices.Sort(k.globals)
	if err = makePipe(filepath.Join(k.o.Dir, aliveFile)); err != nil {
		return err
	}
	if k.node, err = openPipe(filepath.Join(k.o.Dir, nodeFile)); err != nil {
		return err
	}
	k.poke()
	return nil
}

// forsake kills what other runtimes than those of this life have left: nobody would
// take it over.
func (k *Keeper) forsake() error {
	if _, err := os.Stat(filepath.Join(k.o.Dir, setupFile)); err != nil {
		return nil // it is the first
	}
	was := readRuntimes(k.o.Dir)
	if was == k.o.Runtimes {
		return nil
	}
	ctx, cancel := context.WithTimeout(k.ctx, 10*round)
	defer cancel()
	if err := was.Kill(ctx, nil); err != nil {
		return fmt.Errorf("units that another runtime has left: %w", err)
	}
	return nil
}

// poke has the guard look at the lease. It is needed only where the lease may end
// sooner than the guard has known it to.
func (k *Keeper) poke() {
	// A full pipe is one that the guard has still to read.
	_, _ = k.node.Write([]byte{0})
}

// Alive says whether a guard lives.
func (k *Keeper) Alive() bool { return k.alive.Load() }

// Lease returns what the lease says.
func (k *Keeper) Lease() lease.Until { return k.lease.Read() }

// Renew sets how long units may run. It returns false if the lease is over: then
// everything that needs one is being killed, and only Begin begins another.
func (k *Keeper) Renew(to lease.Until) bool {
	old := k.lease.Read()
	if !k.lease.Renew(to) {
		return false
	}
	k.tell(old, to)
	return true
}

// Begin sets how long units may run on a machine where none runs that needs a lease.
func (k *Keeper) Begin(to lease.Until) {
	old := k.lease.Read()
	k.lease.Begin(to)
	k.tell(old, to)
}

func (k *Keeper) tell(old, to lease.Until) {
	was, timed := old.Time()
	if at, ok := to.Time(); ok && (!timed || at < was) {
		k.poke()
	}
}

// LeaseOf returns the lease that a unit needs, "" if it needs none.
func (k *Keeper) LeaseOf(unit string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(k.globals, unit) {
		return ""
	}
	return filepath.Join(k.o.Dir, LeaseFile)
}

// Globals returns the units that need no lease, sorted.
func (k *Keeper) Globals() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.globals)
}

// SetGlobals says which units need no lease, before one of them is started.
func (k *Keeper) SetGlobals(units []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := slices.Sorted(slices.Values(units))
	if slices.Equal(list, k.globals) {
		return nil
	}
	text, err := json.Marshal(list)
	if err == nil {
		err = renameio.WriteFile(filepath.Join(k.o.Dir, globalsFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("guard: the list of global units: %w", err)
	}
	k.globals = list
	return nil
}

// Close lets go of the directory. The guard goes on as long as it is needed.
func (k *Keeper) Close() error { return k.close(nil) }

// End is Close for a machine on which nothing runs any more: it removes the directory.
func (k *Keeper) End() error {
	k.lease.Begin(lease.None)
	return k.close(func() error { return os.RemoveAll(k.o.Dir) })
}

// close lets go of the directory, and calls last while no other node can have it.
func (k *Keeper) close(last func() error) error {
	k.stop()
	k.wait.Wait()
	var errs []error
	idle := k.lease != nil && k.lease.Read() == lease.None
	if k.node != nil {
		errs = append(errs, k.node.Close())
	}
	if k.lease != nil {
		errs = append(errs, k.lease.Close())
	}
	if idle {
		// A guard that isn't needed sees that at once. It should not outlive the node
		// in what it writes.
		path := filepath.Join(k.o.Dir, lockFile)
		for deadline := time.Now().Add(endPatience); time.Now().Before(deadline); time.Sleep(startLook) {
			if pid, err := holder(path); pid == 0 || err != nil {
				break
			}
		}
	}
	if last != nil {
		errs = append(errs, last())
	}
	return errors.Join(append(errs, k.lock.Close())...)
}

// run has one guard after the other.
func (k *Keeper) run() {
	for k.ctx.Err() == nil {
		pid, err := k.ensure()
		if err != nil {
			if k.ctx.Err() == nil {
				k.log.Error("there is no guard: units that need the machine's lease are not started", "err", err)
			}
			k.sleep(startAgain)
			continue
		}
		k.log.Debug("the machine's guard lives", "pid", pid)
		k.changed(true)
		err = k.outlive()
		k.changed(false)
		if k.ctx.Err() == nil {
			k.log.Warn("the machine's guard has ended", "pid", pid, "err", err)
		}
	}
}

func (k *Keeper) changed(alive bool) {
	k.alive.Store(alive)
	if k.o.Changed != nil {
		k.o.Changed(alive)
	}
}

func (k *Keeper) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-k.ctx.Done():
	}
}

// ensure finds the guard, or starts one, and returns its process.
func (k *Keeper) ensure() (pid int, err error) {
	path := filepath.Join(k.o.Dir, lockFile)
	if pid, err = holder(path); pid != 0 || err != nil {
		return pid, err
	}
	if err := k.start(); err != nil {
		return 0, err
	}
	// The keeper's end doesn't cut this short: who waits for the guard's end must have
	// seen its beginning.
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline); time.Sleep(startLook) {
		if pid, err = holder(path); pid != 0 || err != nil {
			return pid, err
		}
	}
	return 0, fmt.Errorf("it hasn't begun within %v; see %s", startPatience, filepath.Join(k.o.Dir, logFile))
}

// start starts a guard.
func (k *Keeper) start() error {
	program := k.o.Program
	if program == "" {
		self, err := programPath()
		if err != nil {
			return err
		}
		program = self
	}
	path := filepath.Join(k.o.Dir, logFile)
	flags := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		flags |= os.O_TRUNC
	}
	logs, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	defer logs.Close()
	cmd := &exec.Cmd{
		Path: program, Args: []string{becomeName, k.o.Dir, beginWord}, Dir: "/", Stderr: logs,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	return cmd.Run()
}

// outlive waits until the guard has ended, or the keeper.
func (k *Keeper) outlive() error {
	file, err := os.OpenFile(filepath.Join(k.o.Dir, aliveFile), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer context.AfterFunc(k.ctx, func() { _ = file.Close() })()
	_, err = file.Read(make([]byte, 1))
	_ = file.Close()
	return err
}
