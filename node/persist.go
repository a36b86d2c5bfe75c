package node

import (
	"fmt"

	"drydock/node/consensus"
	"drydock/node/wal"
	"drydock/node/world"
)

// persist has a batch written to the log. Persisted is told when it is durable.
func (n *Node) persist(a *consensus.Append) {
	if a.Snapshot != nil {
		n.install(a)
		return
	}
	if len(a.Entries) > 0 {
		n.recovered = min(n.recovered, a.Entries[0].GetIndex()-1)
	}
	b := logBatch(a)
	job := world.Job{
		Lane: world.LaneLog, Name: "append", Bytes: batchBytes(b),
		Run: func(world.FS) error { return n.log.Append(b) },
	}
	if a.MustSync {
		job.Sync = func(world.FS) error { return n.log.Sync() }
	}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: log: %w", err))
			return
		}
		n.core.Persisted(a)
	})
}

// Finish returns the jobs that are worth doing before the node is left to itself:
// no Step follows. It is for an orderly end; a crash does without.
func (n *Node) Finish() *Effects {
	n.fx.reset()
	if n.fx.Halt == nil {
		if a := n.core.Finish(); a != nil {
			n.persist(a)
		}
	}
	return &n.fx
}

func logBatch(a *consensus.Append) *wal.Batch {
	b := &wal.Batch{Hard: (*wal.HardState)(a.Hard)}
	if len(a.Entries) > 0 {
		b.Entries = make([]wal.Entry, 0, len(a.Entries))
	}
	for _, e := range a.Entries {
		b.Entries = append(b.Entries, wal.Entry{Index: e.GetIndex(), Term: e.GetTerm(), Type: uint8(e.GetType()), Data: e.GetData()})
	}
	return b
}

func batchBytes(b *wal.Batch) int {
	size := 64
	for i := range b.Entries {
		size += 16 + len(b.Entries[i].Data)
	}
	return size
}
