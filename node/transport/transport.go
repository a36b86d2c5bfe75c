package transport

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/world"
)

// Path is where a peer port takes members' connections.
const Path = "/drydock/peer"

// Protocol versions that this release speaks. The higher one of those that both
// sides speak is used.
const (
	LowestProtocol  = 1
	HighestProtocol = 1
)

// Options are what a transport needs.
type Options struct {
	// Cluster and ID are the cluster's and this member's, neither zero.
	Cluster uint64
	ID      world.MemberID
	// Name, Release and URLs are told to the others: the member's name and
	// program version for their logs, and its advertised peer URLs for those that
	// don't know it yet.
	Name, Release string
	URLs          []string
	// Deliver takes a frame that has come. It is called by several goroutines and
	// owns the frame; while it blocks, one stream of one member stands still, and
	// Close waits.
	Deliver func(frame []byte)
	// TLSClient is used for https URLs; nil if there are none. A server name that
	// is not set is the URL's host.
	TLSClient *tls.Config
	// Logger takes transitions and refusals; nil for none.
	Logger *slog.Logger

	// Removed, if not nil, says whether a member that isn't in the address book
	// has been removed for good.
	Removed func(world.MemberID) bool
	// OnRefused, if not nil, is told when member id refuses this one for another
	// reason than before. It must not block.
	OnRefused func(id world.MemberID, r *Refusal)

	// Stall is how long a connection may be silent (default 3 s).
	Stall time.Duration
	// SnapshotRate bounds snapshot streams, each, in bytes a second (default
	// 32 MiB).
	SnapshotRate int

	_ struct{}
}

// Peer is an entry of the address book.
type Peer struct {
	ID world.MemberID
	// Name is for logs; it may be empty.
	Name string
	// URLs are tried in turn: http or https, host and port.
	URLs []string
}

// Transport connects this member with the others. Its methods may be called by
// any goroutine.
type Transport struct {
	o    Options
	t    timing
	log  *slog.Logger
	life uint64 // names this life of the process

	attempts atomic.Uint64 // to connect

	ctx  context.Context // ends when the transport is closed
	end  context.CancelFunc
	wait sync.WaitGroup // streams and connections that came in

	book atomic.Pointer[map[world.MemberID]*peer]

	// Use: held for the book's changes too, which readers needn't.
	mu      sync.Mutex
	closed  bool
	inbound map[inboundKey]*inbound

	sent, received flow
	lost           lost
	refused        atomic.Uint64
	start          time.Time
	said           once // refusals that were logged
}

// timing are the durations that tests shorten.
type timing struct {
	ping, stall              time.Duration
	dial, handshake          time.Duration
	backoffLeast, backoffMax time.Duration
	steady                   time.Duration // a connection that lived so long resets the back-off
	idle                     time.Duration // ends a snapshot stream
	farewell                 time.Duration // to send what is queued at the end
}

// New makes a transport with an empty address book.
func New(o Options) *Transport {
	if o.Cluster == 0 || o.ID == 0 || o.Deliver == nil {
		panic(fmt.Sprintf("transport: cluster %d, member %d, or nobody to deliver to", o.Cluster, o.ID))
	}
	if o.Stall == 0 {
		o.Stall = 3 * time.Second
	}
	if o.SnapshotRate == 0 {
		o.SnapshotRate = 32 << 20
	}
	t := &Transport{
		o: o, log: o.Logger, start: time.Now(), inbound: make(map[inboundKey]*inbound),
		t: timing{
			ping: o.Stall / 3, stall: o.Stall, dial: time.Second, handshake: 2 * time.Second,
			backoffLeast: 50 * time.Millisecond, backoffMax: time.Second, steady: time.Second,
			idle: 30 * time.Second, farewell: 200 * time.Millisecond,
		},
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	var life [8]byte
	_, _ = rand.Read(life[:]) // never fails
	t.life = binary.BigEndian.Uint64(life[:]) | 1
	t.ctx, t.end = context.WithCancel(context.Background())
	t.book.Store(&map[world.MemberID]*peer{})
	return t
}

// stamp is the time since New in nanoseconds.
func (t *Transport) stamp() uint64 { return uint64(time.Since(t.start)) }

// Send implements world.Peers.
func (t *Transport) Send(to world.MemberID, frame []byte) {
	p := (*t.book.Load())[to]
	if p == nil {
		t.lost.stranger.Add(1)
		return
	}
	p.send(frame)
}

// SetPeers replaces the address book. This member's own entry may be among the
// peers. Streams to members that are no longer in it end; a member whose
// addresses have changed is dialled anew unless the address in use is still one
// of them. It doesn't wait for any of this.
func (t *Transport) SetPeers(peers []Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	old := *t.book.Load()
	book := make(map[world.MemberID]*peer, len(peers))
	for _, entry := range peers {
		if entry.ID == t.o.ID || entry.ID == 0 {
			continue
		}
		p := old[entry.ID]
		if p == nil {
			p = newPeer(t, entry, false)
		} else {
			p.readdress(entry)
		}
		book[entry.ID] = p
	}
	var gone []*peer
	for id, p := range old {
		switch {
		case book[id] != nil:
		case p.guest.Load():
			book[id] = p // until it hangs up
		default:
			gone = append(gone, p)
		}
	}
	t.book.Store(&book)
	for _, p := range gone {
		p.end("no longer a member")
		for key, in := range t.inbound {
			if key.from == p.id {
				in.cut("no longer a member")
			}
		}
	}
}

// addGuest enters a member that called and is not in the book. The caller holds
// mu.
func (t *Transport) addGuest(h *hello) {
	book := maps.Clone(*t.book.Load())
	book[h.From] = newPeer(t, Peer{ID: h.From, Name: h.Name, URLs: h.URLs}, true)
	t.book.Store(&book)
}

// dropGuest takes a guest that hung up from the book. The caller holds mu.
func (t *Transport) dropGuest(id world.MemberID) {
	p := (*t.book.Load())[id]
	if p == nil || !p.guest.Load() {
		return
	}
	book := maps.Clone(*t.book.Load())
	delete(book, id)
	t.book.Store(&book)
	p.end("it hung up")
}

// Close sends what is queued, for a moment, ends all streams and waits for them.
// Frames that come meanwhile may still be delivered, later ones are not.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	for _, p := range *t.book.Load() {
		p.end("this member stops")
	}
	t.book.Store(&map[world.MemberID]*peer{})
	for _, in := range t.inbound {
		in.cut("this member stops")
	}
	t.mu.Unlock()
	t.wait.Wait()
	t.end()
}

// Connected says whether frames for member id find a connection now.
func (t *Transport) Connected(id world.MemberID) bool {
	p := (*t.book.Load())[id]
	return p != nil && p.messages.link.Load() != nil
}

// Stats returns what is known of the connections with member id.
func (t *Transport) Stats(id world.MemberID) (s PeerStats, ok bool) {
	p := (*t.book.Load())[id]
	if p == nil {
		return s, false
	}
	return p.describe(), true
}

// All returns the statistics of all members in the address book, by id.
func (t *Transport) All() []PeerStats {
	book := *t.book.Load()
	list := make([]PeerStats, 0, len(book))
	for _, id := range slices.Sorted(maps.Keys(book)) {
		list = append(list, book[id].describe())
	}
	return list
}
