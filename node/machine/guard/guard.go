package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"
)

// becomeName is the name under which the program is run to become a guard; with the
// second argument "begin" it starts one that is nobody's child, and ends.
const (
	becomeName = "drydock-guard"
	beginWord  = "begin"
)

// Times of a guard.
const (
	// round bounds one attempt to kill, and sweepLeast to sweepMost are the pauses
	// between two: a node that was stopped may still start what it was about to.
	round      = time.Second
	sweepLeast = 5 * time.Millisecond
	sweepMost  = 250 * time.Millisecond
	// idle is how often a guard that has nothing to do looks whether it is needed.
	idle = 5 * time.Second
	// absent is how often it looks while the node is gone.
	absent = 100 * time.Millisecond
)

// able says that this program looks whether it is to become a guard.
var able atomic.Bool

// Become makes this process a machine's guard, if it was started as one, and else
// returns false. It is to be called first of all, and the caller ends if it returns
// true.
func Become() bool {
	able.Store(true)
	if len(os.Args) < 2 || os.Args[0] != becomeName {
		return false
	}
	dir := os.Args[1]
	if len(os.Args) == 3 && os.Args[2] == beginWord {
		detach(dir)
		return true
	}
	logger := log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds)
	if err := run(dir, logger); err != nil {
		logger.Print(err)
	}
	return true
}

// detach starts the guard in a session of its own; as this process ends, it is
// nobody's child, and what ends the node doesn't reach it.
func detach(dir string) {
	if err := begin(dir); err != nil {
		fmt.Fprintln(os.Stderr, "the guard can't be started:", err)
	}
}

// inherited are the variables that a guard needs to find what runs units.
var inherited = []string{"PATH", "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DOCKER_HOST"}

func begin(dir string) error {
	self, err := programPath()
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	env := []string{"GOMAXPROCS=2"}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	p, err := os.StartProcess(self, []string{becomeName, dir}, &os.ProcAttr{
		Dir: "/", Env: env, Files: []*os.File{null, null, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return p.Release()
}

// guard is a running one.
type guard struct {
	dir   string
	log   *log.Logger
	word  *lease.File
	timer *lease.Timer
	node  *presence
	// ending is set when the system wants this process to end.
	ending bool
	signal chan os.Signal
}

// run guards dir until nobody needs it.
func run(dir string, logger *log.Logger) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE)
	// In this order: who finds the lock taken finds a writer of the other file.
	alive, err := openPipe(filepath.Join(dir, aliveFile))
	if err != nil {
		return err
	}
	defer alive.Close()
	held, err := Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, ErrTaken) {
		return nil // there is a guard
	}
	if err != nil {
		return err
	}
	defer held.Close()
	g := &guard{dir: dir, log: logger, signal: make(chan os.Signal, 1)}
	if g.word, err = lease.Open(filepath.Join(dir, LeaseFile)); err != nil {
		return err
	}
	if g.timer, err = lease.NewTimer(); err != nil {
		return err
	}
	defer g.timer.Stop()
	if g.node, err = watchNode(filepath.Join(dir, nodeFile)); err != nil {
		return err
	}
	protect()
	leave := func() error { return nil }
	if groups := readRuntimes(dir).Groups; groups != "" {
		if leave, err = supervisor.Join(groups, "guard"); err != nil {
			logger.Print("this guard stays in the node's control group, and may end with it: ", err)
		}
	}
	signal.Notify(g.signal, syscall.SIGTERM)
	g.rehearse()
	g.loop()
	return leave()
}

// loop waits for the end of each lease.
func (g *guard) loop() {
	for {
		gone := g.node.gone()
		until := g.word.Read()
		if at, timed := until.Time(); timed {
			if now := lease.Now(); now < at && !(gone && g.ending) {
				g.pause(at, now+idle)
				continue
			}
			if !g.word.Swap(until, lease.Over) {
				continue // it was renewed at the last moment
			}
			g.log.Printf("the lease has passed at %v: killing", until)
			g.sweep()
			continue
		}
		if until == lease.Over {
			g.sweep() // what a guard before this one has begun
			continue
		}
		if gone {
			return // nothing runs, or it runs without a lease
		}
		g.pause(lease.Now()+idle, lease.Now()+idle)
	}
}

// pause waits for a time, the end of the node, a word from it, or a signal.
func (g *guard) pause(at, most time.Duration) {
	if g.node.gone() {
		most = min(most, lease.Now()+absent)
	}
	g.timer.Reset(min(at, most))
	select {
	case <-g.timer.C:
	case <-g.node.news:
	case <-g.signal:
		g.ending = true
	}
}

// sweep kills what the lease was for, again and again while the lease is over, until
// nothing is left and the node is gone: one that hangs may go on starting things.
func (g *guard) sweep() {
	wait, said, clean := sweepLeast, "", 0
	for g.word.Read() == lease.Over {
		err := g.kill()
		switch {
		case err == nil:
			if clean++; clean == 1 {
				g.log.Print("nothing is left")
			}
		case err.Error() != said:
			said = err.Error()
			g.log.Print("not all are dead: ", err)
			fallthrough
		default:
			clean = 0
		}
		if clean > 1 && g.node.gone() && g.word.Swap(lease.Over, lease.None) {
			return
		}
		wait = min(2*wait, sweepMost)
		now := lease.Now()
		g.pause(now+wait, now+wait)
	}
}

// rehearse goes through a kill that spares all, so that what that takes is in memory.
func (g *guard) rehearse() {
	ctx, cancel := context.WithTimeout(context.Background(), round)
	defer cancel()
	_ = readRuntimes(g.dir).Kill(ctx, func(string) bool { return true })
}

// kill tries once to end all units that need a lease.
func (g *guard) kill() error {
	ctx, cancel := context.WithTimeout(context.Background(), round)
	defer cancel()
	spared := globals(g.dir)
	return readRuntimes(g.dir).Kill(ctx, func(unit string) bool {
		// A node that has come to its senses may have started it anew.
		return spared[unit] || g.word.Read() != lease.Over
	})
}

// presence tells of the node: it holds a pipe open for writing while it lives.
type presence struct {
	news chan struct{} // it has written, has come or has gone
	away atomic.Bool
}

func watchNode(path string) (*presence, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	p := &presence{news: make(chan struct{}, 1)}
	go p.read(file)
	return p, nil
}

// read ends with the process.
func (p *presence) read(file *os.File) {
	b := make([]byte, 64)
	for {
		_, err := file.Read(b)
		// A pipe without writers is at its end, until there is one again.
		if was := p.away.Swap(err != nil); !was || err == nil {
			select {
			case p.news <- struct{}{}:
			default:
			}
		}
		if err != nil {
			time.Sleep(absent / 2)
		}
	}
}

func (p *presence) gone() bool { return p.away.Load() }

// globals are the units that run without a lease. Who can't be read isn't one.
func globals(dir string) map[string]bool {
	var names []string
	text, err := os.ReadFile(filepath.Join(dir, globalsFile))
	if err != nil || json.Unmarshal(text, &names) != nil {
		return nil
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
