package supervisor

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"drydock/node/supervise"
)

// maxNotification bounds a message of a service, in bytes.
const maxNotification = 4096

// notifySocket is where a unit's processes send notifications to.
type notifySocket struct {
	path string
	conn *net.UnixConn
	done chan struct{}
}

// sender is who has sent a message, as far as the kernel tells.
type sender struct {
	known    bool
	pid, uid int
}

// openNotify opens a unit's socket.
func (s *Supervisor) openNotify(r *running, who account) error {
	if r.notify != nil {
		return nil
	}
	path := notifyPath(s.opt.Dir, r.invocation)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	if err := wantSender(conn); err != nil {
		_ = conn.Close()
		return err
	}
	n := &notifySocket{path: path, conn: conn, done: make(chan struct{})}
	r.notify = n
	uid := who.uid
	if uid < 0 {
		uid = os.Getuid()
	}
	go func() {
		defer close(n.done)
		text, control := make([]byte, maxNotification), make([]byte, 256)
		for {
			size, extra, _, _, err := conn.ReadMsgUnix(text, control)
			if err != nil {
				return
			}
			from := senderOf(control[:extra])
			if from.known && from.uid != uid && from.uid != 0 {
				continue // anybody may know the socket's name
			}
			message := parseNotification(string(text[:size]))
			s.inbox.post(func() {
				if s.units[r.name] != r || r.notify != n {
					return
				}
				message.Unit, message.From = r.name, s.roleOf(r, from)
				s.step(message)
			})
		}
	}()
	return nil
}

// roleOf says what a sender is to its unit. Where the kernel doesn't tell who it
// is, it counts as the main process.
func (s *Supervisor) roleOf(r *running, from sender) supervise.Sender {
	if !from.known {
		return supervise.FromMain
	}
	for _, p := range s.procs {
		if p.unit == r && p.pid == from.pid {
			if p.role == supervise.RoleMain {
				return supervise.FromMain
			}
			return supervise.FromControl
		}
	}
	return supervise.FromOther
}

func (n *notifySocket) close() {
	_ = n.conn.Close()
	<-n.done
}

// parseNotification reads a message: lines of NAME=VALUE. What isn't known is left
// out.
func parseNotification(text string) supervise.Notified {
	var n supervise.Notified
	for _, line := range strings.Split(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "READY":
			n.Ready = n.Ready || value == "1"
		case "RELOADING":
			n.Reloading = n.Reloading || value == "1"
		case "STOPPING":
			n.Stopping = n.Stopping || value == "1"
		case "WATCHDOG":
			n.Alive = n.Alive || value == "1"
		case "STATUS":
			n.Status = strings.ToValidUTF8(value, "\uFFFD")
		case "EXTEND_TIMEOUT_USEC":
			us, err := strconv.ParseUint(value, 10, 63)
			if err == nil && us < uint64(supervise.Infinity/time.Microsecond) {
				n.Extend = time.Duration(us) * time.Microsecond
			}
		}
	}
	return n
}
