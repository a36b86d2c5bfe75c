package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"drydock/vmlab/lab"
)

// How ports are found for machines that ask for none in particular, or for one that
// is taken.
const (
	// portStep is what a machine's ports are apart from those of the one before.
	portStep = 100
	// portTries is how many ports after the one that was asked for are tried.
	portTries = 90
)

// forward is a port of the host's that leads to a machine.
type forward struct {
	lab.Port
	to     string
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	listen net.Listener
	ctx    context.Context // ends with the forward
	end    context.CancelFunc
	wait   sync.WaitGroup
}

// newForward listens on the port, or on one of those after it if that is taken.
func newForward(port lab.Port, to string, dial func(context.Context, string, string) (net.Conn, error)) (*forward, error) {
	f := &forward{Port: port, to: to, dial: dial}
	var err error
	for n := range portTries {
		at := port.Host + n
		if at > 65535 {
			break
		}
		if f.listen, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at))); err == nil {
			f.Host = at
			break
		}
	}
	if f.listen == nil {
		return nil, fmt.Errorf("no port of 127.0.0.1 from %d on is free: %w", port.Host, err)
	}
	f.ctx, f.end = context.WithCancel(context.Background())
	f.wait.Go(f.accept)
	return f, nil
}

func (f *forward) accept() {
	for {
		c, err := f.listen.Accept()
		if err != nil {
			return // closed
		}
		f.wait.Go(func() { f.carry(c) })
	}
}

// carry carries a connection both ways until both ends have said all.
func (f *forward) carry(c net.Conn) {
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Second)
	there, err := f.dial(ctx, "tcp", f.to)
	cancel()
	if err != nil {
		return // closed unsaid, as by a machine that is off
	}
	defer func() { _ = there.Close() }()
	stop := context.AfterFunc(f.ctx, func() {
		_ = c.Close()
		_ = there.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pass(there, c) })
	both.Go(func() { pass(c, there) })
	both.Wait()
}

// pass copies until the end, and passes that on.
func pass(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

func (f *forward) close() error {
	err := f.listen.Close()
	f.end()
	f.wait.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// forwardAll forwards a machine's ports, those that are forwarded already left as
// they are, and puts what it has found into the state.
func (k *Keeper) forwardAll(name string) (moved []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := slices.IndexFunc(k.state.Machines, func(m lab.Machine) bool { return m.Name == name })
	if at < 0 || len(k.ports[name]) > 0 {
		return nil, nil
	}
	m := &k.state.Machines[at]
	m.Ports = slices.Clone(m.Ports)
	number := lab.Number(m)
	for i := range m.Ports {
		p := m.Ports[i]
		if p.Host == 0 {
			p.Host = p.Guest + portStep*number
		}
		to := net.JoinHostPort(m.Address.String(), strconv.Itoa(p.Guest))
		f, err := newForward(p, to, k.ground.Dial)
		if err != nil {
			for _, made := range k.ports[name] { // all or none, so that the next try is whole
				err = errors.Join(err, made.close())
			}
			delete(k.ports, name)
			return moved, err
		}
		k.ports[name] = append(k.ports[name], f)
		if f.Host != p.Host {
			moved = append(moved, fmt.Sprintf("port %d of 127.0.0.1 is taken: %d leads to port %d", p.Host, f.Host, p.Guest))
		}
		m.Ports[i].Host = f.Host
	}
	return moved, k.store.Save(k.state)
}

// unforward gives up a machine's ports.
func (k *Keeper) unforward(name string) error {
	k.mu.Lock()
	list := k.ports[name]
	delete(k.ports, name)
	k.mu.Unlock()
	var errs []error
	for _, f := range list {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}
