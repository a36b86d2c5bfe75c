package linear

import (
	"maps"
	"slices"

	"drydock/sim/history"
)

// tops assigns every key of ops to the topmost key that operations act on at or
// above it. Keys of different tops share no file and no listing, so each top's
// operations can be judged by themselves.
func tops(ops []history.Op) map[string]string {
	asked := map[string]bool{}
	for i := range ops {
		asked[clean(ops[i].Key)] = true
	}
	top := make(map[string]string, len(asked))
	for key := range asked {
		top[key] = key
		if asked["/"] {
			top[key] = "/"
			continue
		}
		for i := 1; i < len(key); i++ {
			if key[i] == '/' && asked[key[:i]] {
				top[key] = key[:i]
				break
			}
		}
	}
	return top
}

// part is the operations on one top.
type part struct {
	top string
	ops []history.Op
}

// split deals the operations out by top, in order of top.
func split(ops []history.Op) []part {
	top := tops(ops)
	byTop := map[string][]history.Op{}
	for i := range ops {
		t := top[clean(ops[i].Key)]
		byTop[t] = append(byTop[t], ops[i])
	}
	var parts []part
	for _, t := range slices.Sorted(maps.Keys(byTop)) {
		parts = append(parts, part{top: t, ops: byTop[t]})
	}
	return parts
}
