// Package impure breaks every rule of the core, one line at a time.
package impure

import (
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

type named map[string]int

var (
	counter int
	cache   = map[string]int{}
	root    struct{ next *int }
)

func order(m map[string]int, n named) (keys []string) {
	for k := range m { // want "map order: range over a map"
		keys = append(keys, k)
	}
	for range n { // want "map order: range over a map"
		keys = append(keys, "")
	}
	for k := range maps.Keys(m) { // want "map order: maps.Keys outside slices.Sorted"
		keys = append(keys, k)
	}
	for k, v := range maps.All(m) { // want "map order: maps.All outside slices.Sorted"
		keys = append(keys, k[:v])
	}
	_ = slices.Collect(maps.Values(m))                                      // want "map order: maps.Values outside slices.Sorted"
	maps.DeleteFunc(m, func(k string, v int) bool { return v > len(keys) }) // want "map order: use of maps.DeleteFunc"
	return keys
}

func generic[M ~map[K]V, K comparable, V any](m M) {
	for range m { // want "map order: range over a map"
	}
}

func threads(in chan int, out chan<- int) { // want "channel: channel type" "channel: channel type"
	go order(nil, nil) // want "goroutine: go statement"
	out <- 1           // want "channel: send"
	<-in               // want "channel: receive"
	for range in {     // want "channel: range over a channel"
	}
	select {} // want "channel: select"
}

func globals() {
	counter++         // want "global state: assignment to package variable counter"
	counter = 3       // want "global state: assignment to package variable counter"
	cache["a"] = 1    // want "global state: assignment to package variable cache"
	*root.next = 1    // want "global state: assignment to package variable root"
	(root).next = nil // want "global state: assignment to package variable root"
}

func raft(m *raftpb.Message, entries []*raftpb.Entry, kind raftpb.MessageType) error {
	_ = fmt.Sprint(entries)                     // want "proto text: prints a raftpb.Entry"
	return fmt.Errorf("message %v %v", kind, m) // want "proto text: prints a raftpb.Message"
}
