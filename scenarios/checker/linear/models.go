package linear

import (
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"

	"drydock/sim/history"
)

// A cell is the state of the plain models: what one key holds. The register's
// value, the lock's holder, the queue's items from the front.
type cell struct {
	items []string
}

func (c cell) first() *string {
	if len(c.items) == 0 {
		return nil
	}
	return &c.items[0]
}

// plain is a specification of keys that each hold a cell. step must not change
// the cell it is given; ok is false where the answer cannot be. For an unknown
// operation every answer can be.
type plain struct {
	name Model
	step func(c cell, op *history.Op) (ok bool, next cell)
}

func (plain) parts(ops []history.Op) []part {
	byKey := map[string][]history.Op{}
	for i := range ops {
		byKey[ops[i].Key] = append(byKey[ops[i].Key], ops[i])
	}
	var parts []part
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		parts = append(parts, part{top: key, ops: byKey[key]})
	}
	return parts
}

func (plain) prepare(p part) []call {
	var calls []call
	for i := range p.ops {
		if ends, ok := constrains(&p.ops[i]); ok {
			calls = append(calls, call{op: &p.ops[i], ends: ends})
		}
	}
	return calls
}

func (m plain) model(_ string, from any) porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			if c, ok := from.(cell); ok {
				return c
			}
			return cell{}
		},
		Step: func(state, input, _ any) (bool, any) {
			ok, next := m.step(state.(cell), input.(*call).op)
			return ok, next
		},
		Equal: func(a, b any) bool { return slices.Equal(a.(cell).items, b.(cell).items) },
		Hash: func(a any) uint64 {
			h := uint64(fnvOffset)
			for _, item := range a.(cell).items {
				for i := range len(item) {
					h = (h ^ uint64(item[i])) * fnvPrime
				}
				h = (h ^ 0x100) * fnvPrime
			}
			return h
		},
	}
}

func same(a, b *string) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// register: read and get, write and put, cas from PrevValue (none: nothing was
// written yet) to Value. A cas answered with a code must not have matched. A write
// may answer with the value it replaced.
func register(c cell, op *history.Op) (bool, cell) {
	known := op.Status == history.OK
	switch op.Kind {
	case history.Get, history.RegRead:
		return !known || same(op.Out, c.first()), c
	case history.Put, history.RegWrite:
		ok := !known || op.Code == 0 && (op.Out == nil || same(op.Out, c.first()))
		return ok, cell{items: []string{op.Value}}
	}
	matches := same(op.PrevValue, c.first())
	if known && matches != (op.Code == 0) {
		return false, c
	}
	if matches {
		c = cell{items: []string{op.Value}}
	}
	return true, c
}

// lock: acquire takes a free lock for the client, release gives up its own. A
// code with acquire says it was held, with release that it was not the
// client's.
func lock(c cell, op *history.Op) (bool, cell) {
	known := op.Status == history.OK
	can, next := len(c.items) == 0, cell{items: []string{op.Client}}
	if op.Kind == history.Release {
		can, next = len(c.items) == 1 && c.items[0] == op.Client, cell{}
	}
	if known && can != (op.Code == 0) {
		return false, c
	}
	if can {
		c = next
	}
	return true, c
}

// queue: first in, first out. A dequeue of an empty queue answers with a code
// or without a value.
func queue(c cell, op *history.Op) (bool, cell) {
	known := op.Status == history.OK
	if op.Kind == history.Enqueue {
		if known && op.Code != 0 {
			return true, c // turned away, such as by a full queue
		}
		return true, cell{items: append(slices.Clone(c.items), op.Value)}
	}
	if known && !same(op.Out, c.first()) {
		return false, c
	}
	if len(c.items) > 0 {
		c = cell{items: c.items[1:]}
	}
	return true, c
}
