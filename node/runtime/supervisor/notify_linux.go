package supervisor

import (
	"net"

	"golang.org/x/sys/unix"
)

// notifyPath names a unit's socket. It is in the kernel's own name space: a path
// might be too long, and not every user may reach it.
func notifyPath(_, invocation string) string { return "@drydock-" + invocation }

// wantSender has the kernel tell who sends.
func wantSender(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	if err == nil {
		err = set
	}
	return err
}

func senderOf(control []byte) sender {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return sender{known: true, pid: -1, uid: -1}
	}
	for i := range messages {
		if c, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return sender{known: true, pid: int(c.Pid), uid: int(c.Uid)}
		}
	}
	return sender{known: true, pid: -1, uid: -1}
}
