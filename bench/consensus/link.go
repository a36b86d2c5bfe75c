package consensus

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"drydock/node/transport"
	"drydock/node/world"
)

// clusterID names all clusters of this package.
const clusterID = 0xbe7c

// link is one member's way to the others. It counts what is sent, and can be
// cut.
type link struct {
	m             *member
	cut           atomic.Bool
	frames, bytes atomic.Uint64
	peers         world.Peers
}

// Send implements world.Peers.
func (l *link) Send(to world.MemberID, frame []byte) {
	if l.cut.Load() {
		return
	}
	l.frames.Add(1)
	l.bytes.Add(uint64(len(frame)))
	l.peers.Send(to, frame)
}

// receive takes a frame for the member.
func (l *link) receive(frame []byte) {
	if h := l.m.host.Load(); h != nil && !l.cut.Load() {
		h.Receive(frame)
	}
}

// direct hands frames over inside of the process.
type direct struct{ members map[world.MemberID]*link }

func (d direct) Send(to world.MemberID, frame []byte) {
	if l, ok := d.members[to]; ok {
		l.receive(frame)
	}
}

// linkDirect connects members by calls.
func linkDirect(members []*member) {
	d := direct{members: make(map[world.MemberID]*link)}
	for _, m := range members {
		d.members[m.id] = m.link
		m.link.peers = d
	}
}

// wires are the sockets of a cluster.
type wires struct {
	transports []*transport.Transport
	servers    []*http.Server
	serving    sync.WaitGroup
}

// linkTCP connects members by TCP on the loopback interface.
func linkTCP(members []*member) (*wires, error) {
	w := &wires{}
	var book []transport.Peer
	for _, m := range members {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.close()
			return nil, fmt.Errorf("peer port: %w", err)
		}
		url := "http://" + ln.Addr().String()
		t := transport.New(transport.Options{
			Cluster: clusterID, ID: m.id, URLs: []string{url}, Deliver: m.link.receive,
		})
		mux := http.NewServeMux()
		mux.Handle(transport.Path, t.Handler())
		s := transport.NewServer(mux, nil, nil)
		w.serving.Go(func() { _ = s.Serve(ln) })
		w.transports, w.servers = append(w.transports, t), append(w.servers, s)
		book = append(book, transport.Peer{ID: m.id, URLs: []string{url}})
		m.link.peers = t
	}
	for _, t := range w.transports {
		t.SetPeers(book)
	}
	return w, nil
}

func (w *wires) close() {
	for _, t := range w.transports {
		t.Close()
	}
	for _, s := range w.servers {
		_ = s.Close()
	}
	w.serving.Wait()
}
