package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// ErrStopped is matched when the host has stopped.
var ErrStopped = errors.New("host: stopped")

// ErrBusy is matched when the queue of requests stayed full.
var ErrBusy = errors.New("host: too many requests are waiting")

// maxQueueWait is how long a request waits for a place in the queue.
const maxQueueWait = time.Second

// Options are what a host needs beside its disk.
type Options struct {
	// Config is the node's.
	Config node.Config
	// Store is the checkpoint store.
	Store node.Store
	// Peers takes frames for other members. Its Send must not block.
	Peers world.Peers
	// OnRole and OnMembers, if not nil, are called on the reactor's goroutine when
	// the leader or term, or the members, have changed. They must not block.
	OnRole    func(node.Role)
	OnMembers func([]state.Member)
	// OnRest, if not nil, is called on the same goroutine when the node comes to rest
	// (true), and before it does what ends that. A node begins and ends awake.
	OnRest func(bool)
	// Clocks, if not nil, take the place of the machine's.
	Clocks Clocks

	_ struct{}
}

// Host is a running node. Its methods may be called by any goroutine.
type Host struct {
	clock     clock
	slack     time.Duration // how late a follower's tick may be
	lanes     *lanes
	peers     world.Peers
	onRole    func(node.Role)
	onMembers func([]state.Member)
	id        world.MemberID

	inner, outer chan input
	posts        inbox
	meters       meters
	users        users
	fleet        fleetNews
	machines     atomic.Pointer[Machines]
	tokens       atomic.Uint64
	dropped      atomic.Uint64

	stopOnce sync.Once
	stop     chan struct{} // closed to end the loop
	done     chan struct{} // closed when it has ended; err may be read then
	err      error
}

// Start boots a node from its data directory, which Found or Join of package
// node has prepared, and begins to turn it.
func Start(disk world.FS, o Options) (*Host, error) {
	h := &Host{
		clock: clock{start: time.Now(), other: o.Clocks}, slack: o.Config.Slack(),
		peers: o.Peers, onRole: o.OnRole, onMembers: o.OnMembers, id: o.Config.ID,
		inner: make(chan input, maxInner), outer: make(chan input, maxOuter), posts: inbox{ready: make(chan struct{}, 1)},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	h.meters.init(h.clock.start)
	n, err := node.Boot(disk, o.Config, o.Store, h.clock.now())
	if err != nil {
		return nil, err
	}
	h.users.begin(n)
	h.fleet.follow(n.State().Fleet())
	h.lanes = startLanes(disk, h.jobDone, &h.meters.syncs)
	l := &loop{h: h, node: n, timer: newTimer(), armed: unarmed, waiting: make(map[uint64]waiting), rest: rest{tell: o.OnRest}}
	go l.run()
	return h, nil
}

// Stop ends the node between two steps, as a crash would but for waiting until
// the disk is at rest. It does not hand leadership over: see Transfer.
func (h *Host) Stop() error {
	h.stopOnce.Do(func() { close(h.stop) })
	<-h.done
	h.lanes.stop()
	return h.err
}

// Done is closed when the node has stopped, by Stop or by itself.
func (h *Host) Done() <-chan struct{} { return h.done }

// Err returns why the node stopped by itself; nil if it did not.
func (h *Host) Err() error {
	select {
	case <-h.done:
		return h.err
	default:
		return nil
	}
}

// ID returns the member's id.
func (h *Host) ID() world.MemberID { return h.id }

// QueueDepths returns how many inputs wait for the node: the cluster's own and
// clients'.
func (h *Host) QueueDepths() (inner, outer int) { return len(h.inner), len(h.outer) }

// DroppedFrames counts frames that came in while the queue was full.
func (h *Host) DroppedFrames() uint64 { return h.dropped.Load() }

// Receive hands a frame from a peer to the node, which owns it from here on. A
// full queue drops it.
func (h *Host) Receive(frame []byte) {
	select {
	case h.inner <- input{in: node.Received{Frame: frame}}:
	default:
		h.dropped.Add(1)
	}
}

func (h *Host) jobDone(d node.JobDone) {
	select {
	case h.inner <- input{in: d}:
	case <-h.done:
	}
}

// Do carries out a read or a write and waits for its answer, which the node
// gives within its request timeout. If ctx ends first the answer's status is
// unknown for a write.
func (h *Host) Do(ctx context.Context, call *api.Call) node.Answer {
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.Request{Token: token, Call: call})
}

// Change proposes changes of the membership and waits for the outcome: Status is
// done and Refusal set when the cluster has decided against it.
func (h *Host) Change(ctx context.Context, changes []state.MemberChange) node.Answer {
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.ChangeMembers{Token: token, Changes: changes})
}

// Update changes what a member publishes of itself, its name or URLs, and waits
// for the outcome: Refusal is set when it has no effect.
func (h *Host) Update(ctx context.Context, p state.Publish) node.Answer {
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.UpdateMember{Token: token, Publish: p})
}

// Transfer asks this member, if it leads, to hand over to another. Done means
// that the hand-over has begun.
func (h *Host) Transfer(ctx context.Context, to world.MemberID) node.Answer {
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.TransferLeader{Token: token, To: to})
}

// Watch begins a watch. The caller must Close it.
func (h *Host) Watch(ctx context.Context, call *api.Call) (*Watch, error) {
	token := h.tokens.Add(1)
	w := newWatch(h, token)
	if err := h.queue(ctx, input{in: node.Request{Token: token, Call: call}, token: token, wait: w}); err != nil {
		return nil, err
	}
	return w, nil
}

// Look calls fn on the reactor's goroutine between two steps. It is for reading
// what is quickly copied: nothing that fn is shown may be kept or changed.
func (h *Host) Look(fn func(*node.Node)) error {
	seen := make(chan bool, 1)
	look := func(n *node.Node) {
		if n != nil {
			fn(n)
		}
		seen <- n != nil
	}
	if err := h.queue(context.Background(), input{look: look}); err != nil {
		return err
	}
	select {
	case ok := <-seen:
		if !ok {
			return ErrStopped
		}
		return nil
	case <-h.done:
		return ErrStopped
	}
}

// reply waits for one answer.
type reply chan node.Answer

func (r reply) answer(a *node.Answer)     { r <- *a }
func (r reply) news(*node.WatchNews) bool { return false }
func (r reply) lost(err error)            { r <- node.Answer{Status: consensus.Unknown, Reason: err.Error()} }

func (h *Host) ask(ctx context.Context, token uint64, in node.Input) node.Answer {
	r := make(reply, 1)
	if err := h.queue(ctx, input{in: in, token: token, wait: r}); err != nil {
		return node.Answer{Token: token, Status: consensus.Refused, Reason: err.Error()}
	}
	select {
	case a := <-r:
		return a
	case <-ctx.Done():
		h.cancel(token)
	case <-h.done:
	}
	// An answer and the end may have come together.
	select {
	case a := <-r:
		return a
	default:
	}
	err := ctx.Err()
	if err == nil {
		err = ErrStopped
	}
	return node.Answer{Token: token, Status: consensus.Unknown, Reason: fmt.Sprintf("no answer: %v", err)}
}

// queue hands an input to the loop; it waits a moment for a place.
func (h *Host) queue(ctx context.Context, in input) error {
	select {
	case <-h.stop:
		return ErrStopped
	case <-h.done:
		return ErrStopped
	default:
	}
	select {
	case h.outer <- in:
		return nil
	default:
	}
	late := time.NewTimer(maxQueueWait)
	defer late.Stop()
	select {
	case h.outer <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-h.done:
		return ErrStopped
	case <-late.C:
		return ErrBusy
	}
}

// cancel tells the node that nobody waits for token any more.
func (h *Host) cancel(token uint64) {
	select {
	case h.outer <- input{in: node.Cancel{Token: token}}:
	case <-h.done:
	}
}
