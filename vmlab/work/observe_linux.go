package work

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node/runtime/lease"
)

// Process is a process that an observer has seen. Times are of package lease's clock,
// 0 for never. Its methods may be called by any goroutine.
type Process struct {
	Unit    string
	Edition int

	mu   sync.Mutex
	page *page // nil when it is gone
	pid  *os.File
	last Seen
}

// Seen is what a process has written, and when the observer saw that it was gone.
type Seen struct {
	// Began is when it began to do what it is to; Beat is the last time that it is known
	// to have executed.
	Began, Beat time.Duration
	// Told is when it was first told to end; Exits when it was about to, unless it was
	// killed.
	Told, Exits time.Duration
	// Gone is when the observer saw that it is no more.
	Gone time.Duration
}

// Seen returns what is known of the process now.
func (p *Process) Seen() Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seenLocked()
}

func (p *Process) seenLocked() Seen {
	if p.page == nil {
		return p.last
	}
	w := p.page.words
	return Seen{Began: at(&w.began), Beat: max(at(&w.beat), at(&w.told)), Told: at(&w.told), Exits: at(&w.exits)}
}

// Hang keeps the process from ending when it is told to, or no more.
func (p *Process) Hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page != nil {
		p.page.words.hang.Store(on)
	}
}

// Kill kills the process at once.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page == nil {
		return os.ErrProcessDone
	}
	err := unix.PidfdSendSignal(int(p.pid.Fd()), unix.SIGKILL, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

// bury takes the end of the process.
func (p *Process) bury() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.seenLocked()
	p.last.Gone = lease.Now()
	err := errors.Join(p.page.close(), p.pid.Close())
	p.page = nil
	return err
}

// Watcher is told of processes. Its methods are called by many goroutines.
type Watcher interface {
	// Called is told of a process before it begins; fails has it fail at once, hangs
	// not end when it is told to.
	Called(p *Process) (fails, hangs bool)
	// Gone is told that a process that was called is no more.
	Gone(p *Process)
}

// Observer watches the processes of one machine.
type Observer struct {
	watcher Watcher
	listen  *net.UnixListener

	mu     sync.Mutex
	conns  map[*net.UnixConn]bool
	closed bool
	group  sync.WaitGroup
}

// helloPatience is how long a process may take to say who it is.
const helloPatience = 10 * time.Second

// socketMost is how long a socket's path may be (unix(7)).
const socketMost = 107

// Observe watches the processes that are run as Name in a directory, which a machine
// has as a share. The program has to be there.
func Observe(dir string, w Watcher) (*Observer, error) {
	path := filepath.Join(dir, Socket)
	if len(path) > socketMost {
		return nil, fmt.Errorf("%s: a socket's path has at most %d bytes: set TMPDIR to a shorter one", path, socketMost)
	}
	listen, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Units may run as anybody.
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	o := &Observer{watcher: w, listen: listen, conns: make(map[*net.UnixConn]bool)}
	o.group.Go(o.accept)
	return o, nil
}

// Close ends the observer; what runs is no longer watched, and nobody is told so.
func (o *Observer) Close() error {
	o.mu.Lock()
	o.closed = true
	err := o.listen.Close()
	for c := range o.conns { // any order: each by itself
		_ = c.Close() // the reader sees its end
	}
	o.mu.Unlock()
	o.group.Wait()
	return err
}

func (o *Observer) accept() {
	for {
		conn, err := o.listen.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the caller is gone already
		}
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			_ = conn.Close() // nothing was said
			return
		}
		o.conns[conn] = true
		o.group.Go(func() { o.serve(conn) })
		o.mu.Unlock()
	}
}

// serve watches one process until it is gone.
func (o *Observer) serve(conn *net.UnixConn) {
	defer func() {
		o.mu.Lock()
		delete(o.conns, conn)
		o.mu.Unlock()
		_ = conn.Close() // it is gone
	}()
	p, err := meet(conn)
	if err != nil {
		return // it died before it began
	}
	page, file, err := newPage()
	if err != nil {
		_ = p.pid.Close() // only looked at
		return            // the process says that nobody answers
	}
	p.page = page
	fails, hangs := o.watcher.Called(p)
	page.words.hang.Store(hangs)
	err = send(conn, answer{Fail: fails}, file)
	_ = file.Close() // the mapping stays
	if err == nil {
		// It never writes more: this returns when its end is closed, and by nothing else
		// than that or the observer's own end.
		var b [1]byte
		_, _ = conn.Read(b[:])
	}
	if err := p.bury(); err != nil {
		return // a page that was mapped can be unmapped
	}
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if !closed {
		o.watcher.Gone(p)
	}
}

// meet hears who calls.
func meet(conn *net.UnixConn) (*Process, error) {
	if err := conn.SetReadDeadline(time.Now().Add(helloPatience)); err != nil {
		return nil, err
	}
	line, err := bufio.NewReaderSize(conn, 512).ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	h, err := parseHello(line)
	if err != nil {
		return nil, err
	}
	pid, err := pidfdOf(conn)
	if err != nil {
		return nil, err
	}
	return &Process{Unit: h.Unit, Edition: h.Edition, pid: pid}, conn.SetReadDeadline(time.Time{})
}

// parseHello reads what a process says first.
func parseHello(line []byte) (hello, error) {
	var h hello
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	if h.Unit == "" || h.Edition < 1 {
		return h, fmt.Errorf("hello: unit %q, edition %d: %w", h.Unit, h.Edition, ErrWord)
	}
	return h, nil
}

// pidfdOf is the process at the other end. It has called and not hung up, so that its
// number is still its own.
func pidfdOf(conn *net.UnixConn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var inner error
	err = raw.Control(func(s uintptr) {
		var cred *unix.Ucred
		if cred, inner = unix.GetsockoptUcred(int(s), unix.SOL_SOCKET, unix.SO_PEERCRED); inner == nil {
			fd, inner = unix.PidfdOpen(int(cred.Pid), 0)
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

func send(conn *net.UnixConn, a answer, file *os.File) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(text, unix.UnixRights(int(file.Fd())), nil)
	return err
}
