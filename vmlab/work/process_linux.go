package work

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node/runtime/lease"
)

// Times of a process.
const (
	// usualDown is how long one takes to end that says nothing else.
	usualDown = 5 * time.Millisecond
	// callPatience is how long the observer may take to answer.
	callPatience = 10 * time.Second
)

// hello is what a process says to the observer first.
type hello struct {
	Unit    string `json:"unit"`
	Edition int    `json:"edition"`
}

// answer is what the observer says, with the page.
type answer struct {
	// Fail has the process end at once with code 1.
	Fail bool `json:"fail,omitempty"`
}

// Become makes this process what a unit runs, if it was started as that: became is
// true, and the caller exits with the code. It is to be called before anything else is
// set up.
func Become() (code int, became bool) {
	if len(os.Args) == 0 || filepath.Base(os.Args[0]) != Name {
		return 0, false
	}
	code, err := work(filepath.Dir(os.Args[0]), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, Name+":", err)
	}
	return code, true
}

// worker is the process at work.
type worker struct {
	does  Program
	page  *page
	stops chan os.Signal
	// began and ends are when it began, and when it ends by itself, 0 for never.
	began, ends time.Duration
	ready       bool
}

// failed is the exit status of a process that could not do what it was to.
const failed = 1

func work(dir string, args []string) (int, error) {
	does, err := Parse(args)
	if err != nil {
		return failed, err
	}
	w := &worker{does: does, stops: make(chan os.Signal, 1)}
	signal.Notify(w.stops, syscall.SIGTERM)
	conn, told, err := w.call(filepath.Join(dir, Socket))
	if err != nil {
		return failed, fmt.Errorf("the observer: %w", err)
	}
	defer func() { _ = conn.Close() }() // the kernel would, too
	w.begin(told)
	return w.loop(), nil
}

// call says hello to the observer and takes the page from it.
func (w *worker) call(socket string) (*net.UnixConn, answer, error) {
	var told answer
	c, err := net.DialTimeout("unix", socket, callPatience)
	if err != nil {
		return nil, told, err
	}
	conn, _ := c.(*net.UnixConn)
	text, err := json.Marshal(hello{w.does.Unit, w.does.Edition})
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(callPatience))
	}
	if err == nil {
		_, err = conn.Write(append(text, '\n'))
	}
	if err == nil {
		w.page, err = receive(conn, &told)
	}
	if err != nil {
		return nil, told, errors.Join(err, conn.Close())
	}
	return conn, told, nil
}

// receive takes the observer's answer.
func receive(conn *net.UnixConn, told *answer) (*page, error) {
	text, oob := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, oob)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text[:n], told); err != nil {
		return nil, err
	}
	list, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("no page came with the answer: %w", err)
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("no page came with the answer: %w", err)
	}
	defer func() { _ = unix.Close(fds[0]) }() // the mapping stays
	return mapPage(fds[0])
}

func (w *worker) begin(told answer) {
	w.began = lease.Now()
	life := w.does.Life
	if life > 0 {
		life = life/2 + time.Duration(rand.Int64N(int64(life)))
	}
	if told.Fail || w.does.Dud > 0 && rand.IntN(100) < w.does.Dud {
		life, w.does.Code = usualDown, 1
	}
	if life > 0 {
		w.ends = w.began + life
	}
	w.page.words.beat.Store(int64(w.began))
	w.page.words.began.Store(int64(w.began))
}

// loop lives.
func (w *worker) loop() int {
	tick := time.NewTimer(0)
	defer tick.Stop()
	words := w.page.words
	for {
		now := lease.Now()
		words.beat.Store(int64(now))
		if !w.ready && now >= w.began+w.does.Up {
			w.ready = true
			notify(os.Getenv("NOTIFY_SOCKET"))
		}
		next := now + BeatEvery
		if told := at(&words.told); told != 0 && !w.does.Hangs && !words.hang.Load() {
			down := max(w.does.Down, usualDown)
			if now >= told+down {
				words.exits.Store(int64(now))
				return 0
			}
			next = min(next, told+down)
		}
		if w.ends != 0 {
			if now >= w.ends {
				words.exits.Store(int64(now))
				return w.does.Code
			}
			next = min(next, w.ends)
		}
		tick.Reset(next - now)
		select {
		case <-w.stops:
			words.told.CompareAndSwap(0, int64(lease.Now()))
		case <-tick.C:
		}
	}
}

// notify tells the unit's manager, where it wants to know, that the process is ready.
func notify(socket string) {
	if socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return // the manager finds out in time that nobody has told it
	}
	_, _ = conn.Write([]byte("READY=1")) // as above
	_ = conn.Close()
}
