package sim

import (
	"maps"
	"slices"

	"drydock/node"
	"drydock/node/api"
)

// front is a machine's HTTP face without sockets: requests are decoded, and
// answers encoded, by the code that production's sockets use.
type front struct {
	m    *machine
	next uint64
	open map[uint64]*exchange
}

// caller waits for the answer to a request.
type caller interface {
	// number names the caller in traces.
	number() uint64
	// reply carries the end of an attempt back, or the head of a watch.
	reply(attempt uint64, resp *api.Response, how ending)
}

// listener is a caller that watches: more follows the head.
type listener interface {
	caller
	// piece carries a part of the body back; nil says that it is cut off.
	// last says that the body is complete with it.
	piece(attempt uint64, body []byte, last bool)
	// reads says whether the listener takes what it is sent, or leaves it to
	// fill the buffers of the connection.
	reads() bool
}

// maxUnread bounds what the buffers of a connection hold of a watch that is
// not read; then the server hangs up, as etcd does.
const maxUnread = 100

// exchange is a request whose answer is awaited. Either caller or done is set.
type exchange struct {
	caller  caller
	attempt uint64
	call    api.Call
	headed  bool
	unread  int
	done    func(*node.Answer) // for the operator's own calls; nil answer: the machine died
}

func (f *front) init(m *machine) { f.m, f.open = m, make(map[uint64]*exchange) }

// request takes a client's request off the wire.
func (f *front) request(c caller, attempt uint64, r *api.Request) {
	w := f.m.w
	w.trace.add(w.now(), traceRequest, uint64(f.m.index), c.number(), []byte(r.Method+" "+r.Target+"\n"+string(r.Body)))
	if !f.m.alive() {
		c.reply(attempt, nil, refusedByHost)
		return
	}
	r.ClusterID = w.clusterID
	call, resp := api.Decode(r)
	if resp != nil {
		c.reply(attempt, resp, answered)
		return
	}
	f.next++
	f.open[f.next] = &exchange{caller: c, attempt: attempt, call: call}
	f.m.deliver(node.Request{Token: f.next, Call: &f.open[f.next].call})
}

// cancel tells the node that a client has hung up.
func (f *front) cancel(c caller, attempt uint64) {
	for _, token := range f.tokens() {
		if x := f.open[token]; x.caller == c && x.attempt == attempt {
			delete(f.open, token)
			f.m.deliver(node.Cancel{Token: token})
		}
	}
}

// operate sends an operator's input, made for its token.
func (f *front) operate(make func(token uint64) node.Input, done func(*node.Answer)) {
	f.next++
	f.open[f.next] = &exchange{done: done}
	f.m.deliver(make(f.next))
}

// answer encodes a node's answer and sends it to who asked.
func (f *front) answer(a *node.Answer) {
	x, ok := f.open[a.Token]
	if !ok {
		return
	}
	delete(f.open, a.Token)
	// The order of answers is part of what a node does.
	f.m.w.trace.add(f.m.w.now(), traceAnswer, uint64(f.m.index), a.Token, []byte(a.Status.String()))
	if x.done != nil {
		x.done(a)
		return
	}
	resp := a.Response(&x.call)
	x.caller.reply(x.attempt, &resp, answered)
}

// watchNews sends what a watch has to tell: its head, events, or why it ended.
func (f *front) watchNews(n *node.WatchNews) {
	x, ok := f.open[n.Token]
	if !ok {
		return
	}
	f.m.w.trace.add(f.m.w.now(), traceAnswer, uint64(f.m.index), n.Token, []byte("watch"))
	if n.Last {
		delete(f.open, n.Token)
	}
	to := x.caller.(listener)
	switch {
	case n.Err != nil:
		resp := api.Encode(&x.call, nil, n.Err, n.Meta, n.Now)
		if x.headed {
			to.piece(x.attempt, resp.Body, true)
		} else {
			to.reply(x.attempt, &resp, answered)
		}
	case n.Head:
		x.headed = true
		resp := api.EncodeWatchHead(&x.call, n.Meta)
		to.reply(x.attempt, &resp, answered)
	default:
		to.piece(x.attempt, api.EncodeWatchEvent(n.Event), n.Last)
		if x.unread++; to.reads() {
			x.unread = 0
		}
		if x.unread >= maxUnread && !n.Last {
			f.cancel(x.caller, x.attempt)
			to.piece(x.attempt, nil, true)
		}
	}
}

// reset breaks all connections: the process is gone.
func (f *front) reset() {
	for _, token := range f.tokens() {
		x := f.open[token]
		delete(f.open, token)
		if x.done != nil {
			x.done(nil)
			continue
		}
		x.caller.reply(x.attempt, nil, connectionReset)
	}
}

// tokens lists the open exchanges in the order in which they began.
func (f *front) tokens() []uint64 { return slices.Sorted(maps.Keys(f.open)) }
