package linear

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// planned is an operation and the moment at which the store does it.
type planned struct {
	op    *history.Op
	point int64
}

// lawful makes a history that is linearizable by construction: clients ask one
// operation after the other, and each takes effect at a moment between its call
// and its return. Some answers get lost, of operations that took effect or not.
func lawful(rng *rand.Rand, clients, ops, files, dirs int, kinds []history.Kind) []history.Op {
	list := make([]history.Op, ops)
	plan := make([]planned, ops)
	free := make([]int64, clients)
	for i := range list {
		c := rng.IntN(clients)
		op := &list[i]
		*op = history.Op{
			Client: fmt.Sprintf("c%d", c), Kind: kinds[rng.IntN(len(kinds))],
			Call: free[c] + 1 + rng.Int64N(20), Status: history.OK,
		}
		op.Return = op.Call + 1 + rng.Int64N(50)
		free[c] = op.Return
		fill(rng, op, i, files, dirs)
		plan[i] = planned{op, op.Call + rng.Int64N(op.Return-op.Call)}
		if rng.IntN(12) == 0 {
			op.Status = history.Unknown
			plan[i].point += rng.Int64N(100)
			if rng.IntN(2) == 0 {
				op.Settled = history.SettledNever
			}
		}
	}
	slices.SortStableFunc(plan, func(a, b planned) int { return cmp.Compare(a.point, b.point) })
	run(list, plan)
	slices.SortStableFunc(list, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	for i := range list {
		list[i].ID = i + 1
	}
	return list
}

// fill gives an operation its key, value and conditions.
func fill(rng *rand.Rand, op *history.Op, n, files, dirs int) {
	op.Key = fmt.Sprintf("/k%d", rng.IntN(files))
	switch op.Kind {
	case history.Append, history.List:
		op.Key = fmt.Sprintf("/l%d", rng.IntN(dirs))
	}
	switch op.Kind {
	case history.CAS, history.CAD:
		old := fmt.Sprintf("v%d", n-1-rng.IntN(4))
		op.PrevValue = &old
	}
	switch op.Kind {
	case history.Put, history.Create, history.Update, history.CAS, history.Append:
		op.Value = fmt.Sprintf("v%d", n)
	}
}

// run answers the operations in order of the plan.
func run(list []history.Op, plan []planned) {
	r := newReplica(list, 0, false)
	var revision uint64
	for _, p := range plan {
		op := p.op
		if op.Settled == history.SettledNever {
			op.Return = 0
			continue
		}
		if !op.Kind.Reads() {
			revision++
		}
		if op.Status == history.Unknown {
			op.Return = 0
			r.step(op)
			op.Settled, op.SettledRevision = history.SettledApplied, revision
			continue
		}
		a := r.step(op)
		op.Code, op.Out, op.Modified, op.Created = a.code, a.value, a.modified, a.created
		op.Revision, op.Index = revision, r.index
		for _, n := range a.items {
			op.Items = append(op.Items, history.Item{Key: n.key, Value: n.value, Created: n.created})
		}
	}
}

// forget takes away what other systems' histories lack.
func forget(ops []history.Op, settled, indexes bool) []history.Op {
	ops = slices.Clone(ops)
	for i := range ops {
		op := &ops[i]
		op.Revision = 0
		if !settled {
			op.Settled, op.SettledRevision = "", 0
		}
		if !indexes {
			op.Index, op.Modified, op.Created = 0, 0, 0
		}
	}
	return ops
}

var allKinds = []history.Kind{
	history.Get, history.Get, history.List, history.Put, history.Create, history.Update,
	history.CAS, history.Delete, history.CAD, history.Append,
}

func drawLawful(t *rapid.T) []history.Op {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	kinds := allKinds
	if rapid.Bool().Draw(t, "only overwrites") {
		kinds = []history.Kind{history.Get, history.Put, history.List, history.Append}
	}
	return lawful(rng, rapid.IntRange(1, 5).Draw(t, "clients"), rapid.IntRange(1, 40).Draw(t, "ops"), 2, 1, kinds)
}

func TestLawfulHistoriesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := drawLawful(t)
		if judged(ops) == 0 {
			return
		}
		for name, h := range map[string][]history.Op{
			"whole": ops, "no revisions": forget(ops, true, true),
			"unsettled": forget(ops, false, true), "values only": forget(ops, false, false),
		} {
			if v := Check(h, Options{}); v.Status != checker.Held {
				t.Fatalf("%s: %s %s\n%s", name, v.Status, v.Summary, show(v))
			}
		}
		if ok, bad := certify(ops); !ok && bad != nil {
			t.Fatalf("no certificate: %s", bad.why)
		}
	})
}

// TestCutsKeepTheMeaning: no cut makes an impossible history of a possible one.
func TestCutsKeepTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := drawLawful(t)
		if rapid.Bool().Draw(t, "forget") {
			ops = forget(ops, false, rapid.Bool().Draw(t, "indexes"))
		}
		k := newKeyspace(ops)
		for _, part := range k.parts(ops) {
			calls := k.prepare(part)
			if len(answered(calls)) == 0 {
				continue
			}
			s := shrinker{spec: k, top: part.top, until: time.Now().Add(time.Minute)}
			last := calls[len(calls)-1].op.ID
			if p, _ := s.prefix(calls); len(p.calls) != len(calls) {
				t.Fatalf("a prefix is impossible: %v", p.ops())
			}
			whole := proof{calls: calls}
			if p := s.barrier(whole); p.origin != nil {
				t.Fatalf("what follows a barrier is impossible: %v", p.ops())
			}
			s.asks = 0
			if p := s.drop(whole, last); len(p.calls) != len(calls) {
				t.Fatalf("fewer reads are impossible: %v", p.ops())
			}
			s.asks = 0
			if p := s.forget(whole, last); slices.ContainsFunc(p.calls, func(c call) bool { return c.shown != nil }) {
				t.Fatalf("weaker writes are impossible: %v", p.ops())
			}
			s.asks = 0
			if p := s.project(whole, last); len(p.calls) != len(calls) {
				t.Fatalf("fewer values are impossible: %v", p.ops())
			}
		}
	})
}

// TestLeavingOutKeepsTheMeaning: whatever writes are left out of a possible
// history, with all sight of them, it stays possible.
func TestLeavingOutKeepsTheMeaning(t *testing.T) {
	cuts := 0
	rapid.Check(t, func(t *rapid.T) {
		ops := drawLawful(t)
		k := newKeyspace(ops)
		for _, part := range k.parts(ops) {
			calls := k.prepare(part)
			if len(calls) == 0 {
				continue
			}
			s := &shrinker{spec: k, top: part.top, until: time.Now().Add(time.Minute)}
			last := calls[rapid.IntRange(0, len(calls)-1).Draw(t, "last")].op.ID
			p := proof{calls: calls}
			cut := func(p proof, i int) (proof, bool) { return without(p, i, last) }
			if weak, final := s.weakened(p, last); final != nil {
				p = weak
				cut = func(p proof, i int) (proof, bool) { return blot(p, i, final) }
			} else if !independent(calls) {
				continue
			}
			for range 4 {
				i := rapid.IntRange(0, len(p.calls)-1).Draw(t, "cut")
				q, ok := cut(p, i)
				if !ok || !p.calls[i].effect() {
					continue
				}
				cuts++
				if s.illegal(q) {
					t.Fatalf("without %v of %v it is impossible: %v", *p.calls[i].op, p.asked(), q.asked())
				}
				p = q
			}
		}
	})
	if cuts < 20 {
		t.Fatalf("only %d cuts were made", cuts)
	}
}

// TestOldValuesAreCaught: reads that are answered from an old state are
// violations, with revisions and without, and the proof is a small one.
func TestOldValuesAreCaught(t *testing.T) {
	caught := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		ops := lawful(rng, 4, 120, 2, 1, []history.Kind{history.Get, history.Put, history.Put, history.CAS, history.Append, history.List})
		if !spoil(ops) {
			continue
		}
		caught++
		for name, h := range map[string][]history.Op{"whole": ops, "values only": forget(ops, true, false)} {
			v := Check(h, Options{})
			if v.Status != checker.Violated {
				t.Fatalf("seed %d, %s: %s %s", seed, name, v.Status, v.Summary)
			}
			if n := len(v.Violation.Ops); n > 8 {
				t.Errorf("seed %d, %s: %d operations\n%s", seed, name, n, show(v))
			}
		}
	}
	if caught < 30 {
		t.Fatalf("only %d histories could be spoilt", caught)
	}
}

// spoil makes the last get answer a value that was overwritten by an answered
// write before the get began.
func spoil(ops []history.Op) bool {
	for i := len(ops) - 1; i > 0; i-- {
		get := &ops[i]
		if get.Kind != history.Get || get.Status != history.OK || get.Out == nil {
			continue
		}
		for j := range ops {
			w := &ops[j]
			if w.Kind != history.Put || w.Status != history.OK || w.Key != get.Key || w.Out == nil || w.Return >= get.Call || *w.Out == *get.Out {
				continue
			}
			old := *w.Out
			get.Out, get.Modified, get.Created = &old, 0, 0
			return true
		}
	}
	return false
}

func TestVerdictWithoutTimeIsUnknown(t *testing.T) {
	ops := forget(lawful(rand.New(rand.NewPCG(1, 1)), 4, 50, 1, 1, allKinds), false, false)
	if v := Check(ops, Options{Timeout: time.Nanosecond}); v.Status != checker.Unknown {
		t.Fatalf("%s %s", v.Status, v.Summary)
	}
}

func BenchmarkCertificate10k(b *testing.B) {
	ops := lawful(rand.New(rand.NewPCG(1, 1)), 10, 10_000, 10, 3, allKinds)
	for b.Loop() {
		if v := Check(ops, Options{}); v.Status != checker.Held {
			b.Fatal(v.Summary)
		}
	}
}

func BenchmarkSearch10k(b *testing.B) {
	ops := forget(lawful(rand.New(rand.NewPCG(1, 1)), 10, 10_000, 10, 3, allKinds[:9]), true, false)
	for b.Loop() {
		if v := Check(ops, Options{}); v.Status != checker.Held {
			b.Fatal(v.Summary)
		}
	}
}
