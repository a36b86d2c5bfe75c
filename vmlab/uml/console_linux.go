package uml

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"drydock/vmlab/sshway"
	"drydock/vmlab/virtual"
)

// The management console of User Mode Linux: datagrams of a fixed head and a text.
// (Linux, arch/um/drivers/mconsole.h)
const (
	consoleMagic   = 0xcafebabe
	consoleVersion = 2
	consoleText    = 512
	consoleHead    = 12
)

// errConsole is matched when a kernel has refused an order.
var errConsole = errors.New("its kernel has refused")

// tell gives the machine's kernel an order: cad, halt, stop, go.
func (m *machine) tell(ctx context.Context, order string) error {
	// The answer goes to the socket that asks, which must have a name.
	dir, err := os.MkdirTemp("", "uml")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	own, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	end := time.Now().Add(virtual.OrderPatience)
	if at, ok := ctx.Deadline(); ok && at.Before(end) {
		end = at
	}
	if err := own.SetDeadline(end); err != nil {
		return err
	}
	message := make([]byte, consoleHead+consoleText)
	binary.NativeEndian.PutUint32(message, consoleMagic)
	binary.NativeEndian.PutUint32(message[4:], consoleVersion)
	binary.NativeEndian.PutUint32(message[8:], uint32(len(order)))
	copy(message[consoleHead:], order)
	to, done, err := sshway.Address(m.File(filepath.Join(umid, "mconsole")), "unixgram")
	if err != nil {
		return err
	}
	defer done()
	if _, err := own.WriteTo(message, to); err != nil {
		return err
	}
	n, err := own.Read(message)
	if err != nil {
		return err
	}
	if n >= consoleHead && binary.NativeEndian.Uint32(message) != 0 { // the first number of an answer is the error
		size := min(int(binary.NativeEndian.Uint32(message[8:])), n-consoleHead)
		return fmt.Errorf("%w %s: %s", errConsole, order, message[consoleHead:consoleHead+size])
	}
	return nil
}
