// Package pure does what looks like a sin and is none.
package pure

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/world"
)

var errPure = errors.New("pure")

var table = crc32.MakeTable(crc32.Castagnoli)

type pure struct {
	counts map[string]int
	total  int
}

func (p *pure) compute(at world.Instant) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(p.counts)) {
		p.total += p.counts[name]
		p.counts[name]++
	}
	for _, n := range slices.SortedFunc(maps.Values(p.counts), func(a, b int) int { return b - a }) {
		p.total += n
	}
	for i := range 10 {
		p.total += i
	}
	delete(p.counts, "gone")
	clear(p.counts)
	copied := maps.Clone(p.counts)
	copied["new"] = 1
	var table []int
	table = append(table, p.total)
	if table[0] > 100 {
		return nil, fmt.Errorf("%w: %d%%", errPure, table[0])
	}
	stamp := time.Unix(0, at.Wall).UTC().Format(time.RFC3339)
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "%s %v", stamp, 3*time.Second)
	return binary.BigEndian.AppendUint32(buf.Bytes(), crc32.Checksum(buf.Bytes(), castagnoli())), nil
}

func castagnoli() *crc32.Table { return table }

func step(n *raft.RawNode, m *raftpb.Message) error { return n.Step(m) }
