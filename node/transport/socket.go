package transport

import (
	"crypto/tls"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// unsentBytes bounds what the kernel holds of a connection before it has sent it:
// what is urgent waits behind that much. What is under way isn't counted, so that
// a long link is still filled.
const unsentBytes = 64 << 10

// bareTCP returns the TCP connection below conn, or nil.
func bareTCP(conn net.Conn) *net.TCPConn {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// hangUp closes a connection at once: TLS would say goodbye first, and wait for
// seconds for that to be taken. Streams have a goodbye of their own.
func hangUp(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.Close()
}

// tune sets a connection's options. What a system doesn't have it does without.
func tune(conn net.Conn) {
	tcp := bareTCP(conn)
	if tcp == nil {
		return
	}
	_ = tcp.SetNoDelay(true)
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3})
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
		})
	}
}
