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

// exchange is a request whose answer is awaited. Either client or done is set.
type exchange struct {
	client  *client
	attempt uint64
	call    api.Call
	done    func(*node.Answer) // for the operator's own calls; nil answer: the machine died
}

func (f *front) init(m *machine) { f.m, f.open = m, make(map[uint64]*exchange) }

// request takes a client's request off the wire.
func (f *front) request(c *client, attempt uint64, r *api.Request) {
	w := f.m.w
	w.trace.add(w.now(), traceRequest, uint64(f.m.index), uint64(c.index), []byte(r.Method+" "+r.Target+"\n"+string(r.Body)))
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
	f.open[f.next] = &exchange{client: c, attempt: attempt, call: call}
	f.m.deliver(node.Request{Token: f.next, Call: &f.open[f.next].call})
}

// cancel tells the node that a client has hung up.
func (f *front) cancel(c *client, attempt uint64) {
	for _, token := range f.tokens() {
		if x := f.open[token]; x.client == c && x.attempt == attempt {
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
	if x.done != nil {
		x.done(a)
		return
	}
	resp := a.Response(&x.call)
	x.client.reply(x.attempt, &resp, answered)
}

// watchNews is for watches, which no simulated client opens.
func (f *front) watchNews(n *node.WatchNews) {
	if n.Last {
		delete(f.open, n.Token)
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
		x.client.reply(x.attempt, nil, connectionReset)
	}
}

// tokens lists the open exchanges in the order in which they began.
func (f *front) tokens() []uint64 { return slices.Sorted(maps.Keys(f.open)) }
