package netns

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The names under which this program is run to become a machine's first process:
// first one that builds the machine from within, which then becomes the other.
const (
	buildName = "drydock-machine"
	initName  = "init"
)

// The files that the first process finds.
const (
	controlFD = 3 // a stream to the ground
	consoleFD = 4 // what the machine prints
)

// setup is what the first process is told before anything else.
type setup struct {
	Hostname string   `json:"hostname"`
	Rooms    rooms    `json:"rooms"`
	Node     []string `json:"node"`
	Env      []string `json:"env"`
}

// order is what the ground tells the init.
type order struct {
	// Do is start, kill (the node, at once), pause and resume (its process), halt (the
	// machine).
	Do string `json:"do"`
}

// word is what the init tells the ground.
type word struct {
	// Say is up (the machine runs), node (it was started), ended (the node has), paused
	// and resumed (it was), failed (an order, or the machine).
	Say string `json:"say"`
	Pid int    `json:"pid,omitempty"`
	Why string `json:"why,omitempty"`
}

// Become makes this process a machine's first one, or one that runs a command on a
// machine, if it was started as that: became is true, and the caller exits with the
// code. It is to be called first of all.
func Become() (code int, became bool) {
	switch {
	case len(os.Args) == 2 && os.Args[0] == enterName:
		return runErrand(), true
	case len(os.Args) != 1 || os.Getpid() != 1:
		return 0, false
	}
	switch os.Args[0] {
	case buildName:
		err := build() // it returns if it fails
		tell(os.NewFile(controlFD, "control"), word{Say: "failed", Why: err.Error()})
		return 1, true
	case initName:
		runInit()
		return 0, true
	}
	return 0, false
}

// build makes the machine's root, and becomes its init. It keeps to one thread,
// which the init is the only one to go on from: control groups are as that thread
// sees them.
func build() error {
	runtime.LockOSThread()
	control := os.NewFile(controlFD, "control")
	var s setup
	// One line, and no byte more: the rest is the init's.
	if err := readLine(control, &s); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("control groups of its own: %w", err)
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := s.Rooms.build(); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile("/run/init.json", text, 0o600); err != nil {
		return err
	}
	if err := renounce(); err != nil {
		return err
	}
	// Go's files close when another program takes over; these two must not.
	for _, fd := range []int{controlFD, consoleFD} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	return syscall.Exec(guestProgram, []string{initName}, s.Env)
}

// foregone are the powers of root that machines don't have: by them they would change
// what is the host's alone, such as its clock. (capabilities(7))
var foregone = []uintptr{unix.CAP_SYS_TIME, unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_WAKE_ALARM}

// renounce gives these powers up for all that the calling thread becomes or starts.
func renounce() error {
	for _, one := range foregone {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, one, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) { // this kernel has no such power
			return fmt.Errorf("give up capability %d: %w", one, err)
		}
	}
	return nil
}

// readLine reads a line of JSON byte by byte.
func readLine(f *os.File, into any) error {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := f.Read(b)
		if err != nil {
			return err
		}
		if n == 1 && b[0] == '\n' {
			return json.Unmarshal(line, into)
		}
		line = append(line, b[:n]...)
	}
}

func tell(control *os.File, w word) {
	text, _ := json.Marshal(w)
	_, _ = control.Write(append(text, '\n')) // the ground sees the stream end if it can't
}

// machineInit is the first process of a machine.
type machineInit struct {
	setup   setup
	control *os.File
	console *os.File

	node int // 0 while it does not run
}

// haltPatience is how long a node may take to stop its units and itself when its
// machine halts.
const haltPatience = 25 * time.Second

// runInit starts the node and reaps until the machine halts or the ground is gone;
// when it returns, the kernel ends all that is left.
func runInit() {
	i := &machineInit{control: os.NewFile(controlFD, "control"), console: os.NewFile(consoleFD, "console")}
	_ = syscall.SetNonblock(controlFD, false)
	unix.CloseOnExec(controlFD)
	unix.CloseOnExec(consoleFD)
	text, err := os.ReadFile("/run/init.json")
	if err == nil {
		err = json.Unmarshal(text, &i.setup)
	}
	if err != nil {
		tell(i.control, word{Say: "failed", Why: err.Error()})
		return
	}
	// The signals that init gets by itself mean nothing here.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	i.printf("machine %s is up", i.setup.Hostname)
	tell(i.control, word{Say: "up"})
	orders := make(chan order)
	go i.listen(orders)
	i.start()
	for {
		select {
		case <-children:
			i.reap()
		case o, ok := <-orders:
			if !ok {
				return
			}
			if i.obey(o, children) {
				return
			}
		}
	}
}

// listen hands on what the ground orders, and closes orders when it is gone.
func (i *machineInit) listen(orders chan<- order) {
	defer close(orders)
	lines := bufio.NewScanner(i.control)
	for lines.Scan() {
		var o order
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			return
		}
		orders <- o
	}
}

// obey carries an order out; it returns true when the machine is to end.
func (i *machineInit) obey(o order, children <-chan os.Signal) bool {
	switch o.Do {
	case "start":
		i.start()
	case "kill":
		if i.node > 0 {
			_ = unix.Kill(i.node, unix.SIGKILL)
		}
	case "pause", "resume":
		signal, said := unix.SIGSTOP, "paused"
		if o.Do == "resume" {
			signal, said = unix.SIGCONT, "resumed"
		}
		if i.node > 0 {
			_ = unix.Kill(i.node, signal)
		}
		tell(i.control, word{Say: said})
	case "halt":
		i.printf("machine %s halts", i.setup.Hostname)
		if i.node == 0 {
			return true
		}
		_ = unix.Kill(i.node, unix.SIGCONT)
		_ = unix.Kill(i.node, unix.SIGTERM)
		for end := time.After(haltPatience); i.node != 0; {
			select {
			case <-children:
				i.reap()
			case <-end:
				return true
			}
		}
		return true
	}
	return false
}

// start starts the node, if it does not run.
func (i *machineInit) start() {
	if i.node != 0 {
		return
	}
	null, err := os.Open("/dev/null")
	if err == nil {
		defer func() { _ = null.Close() }()
		out := i.console.Fd()
		i.node, err = syscall.ForkExec(i.setup.Node[0], i.setup.Node, &syscall.ProcAttr{
			Dir: "/", Env: i.setup.Env, Files: []uintptr{null.Fd(), out, out}, Sys: &syscall.SysProcAttr{Setsid: true},
		})
	}
	if err != nil {
		i.node = 0
		tell(i.control, word{Say: "failed", Why: err.Error()})
		return
	}
	tell(i.control, word{Say: "node", Pid: i.node})
}

// reap buries whoever has died.
func (i *machineInit) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if pid == i.node {
			i.node = 0
			why := ending(status)
			i.printf("the node has ended: %s", why)
			tell(i.control, word{Say: "ended", Why: why})
		}
	}
}

func ending(s unix.WaitStatus) string {
	if s.Signaled() {
		return s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}

// printf writes a line to the console.
func (i *machineInit) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(i.console, "init: "+format+"\n", args...)
}
