package linear

import (
	"time"

	"github.com/anishathalye/porcupine"

	"drydock/sim/history"
)

// call is an operation as the search sees it.
type call struct {
	op *history.Op
	at stamp
	// ends is the operation's return, never for one that may happen later.
	ends int64
	// shown is the operation as it was, where op has been weakened.
	shown *history.Op
}

// spec is a sequential specification that a history is searched against.
type spec interface {
	// parts divides a history into parts that can be judged alone.
	parts(ops []history.Op) []part
	// prepare turns a part into calls; it leaves out what constrains nothing.
	prepare(p part) []call
	// model is the specification of one part; from is the state it begins in,
	// nil for the empty one.
	model(top string, from any) porcupine.Model
}

// never is the end of an operation that was not answered: no other operation is
// known to come after it.
const never = int64(1)<<62 - 1

// constrains says whether an operation can bear on a verdict at all, and when
// it ended. Refused operations and those settled as never had no effect, reads
// without an answer say nothing, and stale reads are judged elsewhere. An
// unknown write may come at any place after its call; the last place of all is
// as good as never.
func constrains(op *history.Op) (ends int64, ok bool) {
	switch {
	case op.Stale || op.Status == history.Refused || op.Settled == history.SettledNever:
		return 0, false
	case op.Status == history.OK:
		return op.Return, true
	case op.Kind.Reads():
		return 0, false
	}
	return never, true
}

// judge asks porcupine whether some order of the calls explains them all.
func judge(m porcupine.Model, calls []call, limit time.Duration) porcupine.CheckResult {
	if limit <= 0 {
		return porcupine.Unknown
	}
	list := make([]porcupine.Operation, len(calls))
	for i := range calls {
		list[i] = porcupine.Operation{
			ClientId: i, Input: &calls[i], Call: calls[i].op.Call, Return: calls[i].ends,
		}
	}
	return porcupine.CheckOperationsTimeout(m, list, limit)
}

// keyspace is the specification of the etcd v2 keyspace without its indexes,
// which span partitions; those the answers tell are used.
type keyspace struct {
	facts map[string]fact
}

// fact is what the answers of a whole history say about the node that a value
// was written to. The value is written once, so the node is known by it.
type fact struct {
	writes   int // how often the value is written; facts hold for 1 only
	key      string
	modified uint64
	created  uint64
	clash    bool // two answers differ
}

func newKeyspace(ops []history.Op) *keyspace {
	k := &keyspace{facts: map[string]fact{}}
	for i := range ops {
		if ops[i].Refresh {
			continue // it writes no value
		}
		switch op := &ops[i]; op.Kind {
		case history.Put, history.Create, history.Update, history.CAS, history.Append, history.RegWrite:
			f := k.facts[op.Value]
			f.writes++
			k.facts[op.Value] = f
		}
	}
	for i := range ops {
		op := &ops[i]
		if !op.Kind.Reads() || op.Status != history.OK || op.Stale {
			continue
		}
		if op.Out != nil {
			k.learn(*op.Out, clean(op.Key), op.Modified, op.Created)
		}
		for _, item := range op.Items {
			k.learn(item.Value, clean(item.Key), 0, item.Created)
		}
	}
	return k
}

func (k *keyspace) learn(value, key string, modified, created uint64) {
	f, ok := k.facts[value]
	if !ok {
		return
	}
	f.clash = f.clash || f.key != "" && f.key != key || !agree(f.modified, modified)
	f.key = key
	f.modified, f.created = max(f.modified, modified), max(f.created, created)
	k.facts[value] = f
}

func (k *keyspace) parts(ops []history.Op) []part { return split(ops) }

func (k *keyspace) prepare(p part) []call {
	var calls []call
	for i := range p.ops {
		op := &p.ops[i]
		ends, ok := constrains(op)
		if !ok {
			continue
		}
		calls = append(calls, call{op: op, at: k.stamp(op), ends: ends})
	}
	return calls
}

// stamp is what is known of a write's index and of the child it makes.
func (k *keyspace) stamp(op *history.Op) stamp {
	var at stamp
	if op.Status == history.OK && op.Code == 0 && !op.Kind.Reads() {
		at.index = op.Modified
		if at.index == 0 {
			at.index = op.Index
		}
	}
	f := k.facts[op.Value]
	if op.Refresh {
		f = fact{}
	}
	bound := f.writes == 1 && !f.clash && f.key != ""
	if bound && at.index == 0 {
		at.index = f.modified
		if op.Kind == history.Append {
			at.index = f.created
		}
	}
	if op.Kind != history.Append {
		return at
	}
	switch dir := clean(op.Key); {
	case bound && parent(f.key) == dir:
		at.child = f.key
	case at.index != 0:
		at.child = childKey(dir, at.index)
	default:
		// Nobody ever lists it. A state that has it explains no listing.
		at.child, at.unseen = childKey(dir, 0)+"?"+op.Value, true
	}
	return at
}

func (k *keyspace) model(top string, from any) porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			if s, ok := from.(*space); ok {
				return s
			}
			return &space{}
		},
		Step: func(state, input, _ any) (bool, any) {
			s, c := state.(*space), input.(*call)
			next := s
			if !c.op.Kind.Reads() {
				next = s.clone() // also for a failed one: here it might succeed
			}
			a := next.apply(c.op, top, c.at)
			if c.op.Status == history.OK && differs(c.op, a) != "" {
				return false, s
			}
			return true, next
		},
		Equal: func(a, b any) bool { return a.(*space).equal(b.(*space)) },
		Hash:  func(a any) uint64 { return a.(*space).hash },
	}
}
