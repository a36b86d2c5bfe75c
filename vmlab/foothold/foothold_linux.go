package foothold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/parts"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// Config is where the foothold is on the network.
type Config struct {
	// Program is this program's path: it is started again.
	Program string
	MAC     string
	Address netip.Addr
	// Bits of the address are the network's.
	Bits int
}

// Foothold is a place on a network.
type Foothold struct {
	cmd  *exec.Cmd
	wait func() error
	tap  *os.File
	conn *net.UnixConn

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan answer
	gone    error // why there will be no more answers
}

// childName is the name under which this program is run as the child.
const childName = "drydock-foothold"

// childFD is the child's socket.
const childFD = 3

// request asks the child to connect. The first one configures it.
type request struct {
	ID       uint64        `json:"id"`
	Config   *Config       `json:"config,omitempty"`
	Network  string        `json:"network,omitempty"`
	Address  string        `json:"address,omitempty"`
	Patience time.Duration `json:"patience,omitempty"`
}

// answer comes with a file where it has no error.
type answer struct {
	ID    uint64 `json:"id"`
	Error string `json:"error,omitempty"`
	file  *os.File
}

// maxMessage bounds a request or an answer, in bytes.
const maxMessage = 4096

// Open starts the child.
func Open(ctx context.Context, c Config) (f *Foothold, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "foothold")
	defer func() { _ = theirs.Close() }()
	ours := os.NewFile(uintptr(pair[0]), "foothold")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, err
	}
	f = &Foothold{conn: conn.(*net.UnixConn), waiting: map[uint64]chan answer{}}
	f.cmd = &exec.Cmd{
		Path: c.Program, Args: []string{childName}, Dir: "/", Env: []string{}, Stderr: os.Stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	}
	if f.wait, err = parts.Start(f.cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("a user namespace: %w", err), f.conn.Close())
	}
	go f.listen()
	a, err := f.ask(ctx, request{Config: &c})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a foothold on the network: %w", err), f.Close())
	}
	f.tap = a
	return f, nil
}

// Tap is the device; the caller takes it over.
func (f *Foothold) Tap() *os.File { return f.tap }

// Dial connects to a literal address from the foothold.
func (f *Foothold) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	r := request{Network: network, Address: address, Patience: time.Minute}
	if end, ok := ctx.Deadline(); ok {
		r.Patience = time.Until(end)
	}
	file, err := f.ask(ctx, r)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err} // by which clients know that nothing was sent
	}
	conn, err := net.FileConn(file)
	return conn, errors.Join(err, file.Close())
}

// ask sends a request and waits for its answer.
func (f *Foothold) ask(ctx context.Context, r request) (*os.File, error) {
	done := make(chan answer, 1)
	f.mu.Lock()
	if f.gone != nil {
		f.mu.Unlock()
		return nil, f.gone
	}
	f.next++
	r.ID = f.next
	f.waiting[r.ID] = done
	f.mu.Unlock()
	text, err := json.Marshal(r)
	if err == nil {
		_, err = f.conn.Write(text)
	}
	if err != nil {
		return nil, errors.Join(err, f.forget(r.ID, done))
	}
	select {
	case a := <-done:
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return a.file, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), f.forget(r.ID, done))
	}
}

// forget drops an answer that nobody waits for any more.
func (f *Foothold) forget(id uint64, done chan answer) error {
	f.mu.Lock()
	delete(f.waiting, id)
	f.mu.Unlock()
	select {
	case a := <-done:
		if a.file != nil {
			return a.file.Close()
		}
	default:
	}
	return nil
}

// listen hands answers to whoever waits for them, until the child is gone.
func (f *Foothold) listen() {
	for {
		a, err := receive(f.conn)
		f.mu.Lock()
		if err != nil {
			f.gone = fmt.Errorf("the foothold has ended: %w", err)
			for id, done := range f.waiting { // any order: each waits for itself
				done <- answer{ID: id, Error: f.gone.Error()}
			}
			clear(f.waiting)
			f.mu.Unlock()
			return
		}
		done := f.waiting[a.ID]
		delete(f.waiting, a.ID)
		if done != nil {
			done <- a // it has room for one
		} else if a.file != nil {
			_ = a.file.Close() // nobody waits for it any more
		}
		f.mu.Unlock()
	}
}

// receive reads an answer and its file.
func receive(conn *net.UnixConn) (a answer, err error) {
	text, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	n, k, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return a, err
	}
	if n == 0 {
		return a, net.ErrClosed
	}
	if messages, err := unix.ParseSocketControlMessage(rights[:k]); err == nil && len(messages) == 1 {
		if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
			unix.CloseOnExec(fds[0])
			a.file = os.NewFile(uintptr(fds[0]), "from the foothold")
		}
	}
	if err := json.Unmarshal(text[:n], &a); err != nil {
		return a, err
	}
	if a.Error == "" && a.file == nil {
		a.Error = "the foothold has sent nothing"
	}
	return a, nil
}

// Close ends the child.
func (f *Foothold) Close() error {
	_ = f.cmd.Process.Kill() // it may have ended
	_ = f.wait()
	return f.conn.Close()
}

// Become makes this process the child, if it was started as that; the caller returns
// then. It is to be called first of all.
func Become() bool {
	if len(os.Args) != 1 || os.Args[0] != childName {
		return false
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "foothold:", err)
	}
	return true
}

// serve answers requests until the parent is gone.
func serve() error {
	file := os.NewFile(childFD, "foothold")
	c, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	conn := c.(*net.UnixConn)
	text := make([]byte, maxMessage)
	for {
		n, err := conn.Read(text)
		if err != nil || n == 0 {
			return nil // the parent is gone
		}
		var r request
		if err := json.Unmarshal(text[:n], &r); err != nil {
			return err
		}
		go func() {
			file, err := r.fulfil()
			send(conn, r.ID, file, err)
		}()
	}
}

func (r *request) fulfil() (*os.File, error) {
	if r.Config != nil {
		return r.Config.settle()
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.Patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if f, ok := conn.(interface{ File() (*os.File, error) }); ok {
		return f.File()
	}
	return nil, fmt.Errorf("%s: %w", r.Network, errors.ErrUnsupported)
}

// settle makes the device and gives it its address.
func (c *Config) settle() (*os.File, error) {
	mac, err := fabric.ParseMAC(c.MAC)
	if err != nil {
		return nil, err
	}
	space, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = space.Close() }()
	tap, err := wire.OpenTap(wire.TapConfig{Namespace: space, Name: parts.LinkName, MAC: mac, MTU: parts.LinkMTU})
	if err != nil {
		return nil, err
	}
	return tap, parts.Address(&parts.Space{File: space}, c.Address, c.Bits)
}

// send sends an answer with its file, which is closed here.
func send(conn *net.UnixConn, id uint64, file *os.File, err error) {
	a := answer{ID: id}
	var rights []byte
	if err != nil {
		a.Error = err.Error()
		a.Error = a.Error[:min(len(a.Error), maxMessage/8)]
	} else {
		rights = unix.UnixRights(int(file.Fd()))
		defer func() { _ = file.Close() }()
	}
	text, _ := json.Marshal(a)                     // it has nothing that can't be JSON
	_, _, _ = conn.WriteMsgUnix(text, rights, nil) // the parent may be gone
}
