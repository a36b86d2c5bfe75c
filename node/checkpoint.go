package node

import (
	"fmt"

	"drydock/node/wal"
	"drydock/node/world"
)

// checkpoint begins one when enough entries, or bytes of them, have come since
// the last.
func (n *Node) checkpoint() {
	index, _ := n.state.Applied()
	if index >= n.checkpointed+n.cfg.CheckpointEntries || n.grown >= n.cfg.CheckpointBytes {
		n.startCheckpoint()
	}
}

// startCheckpoint writes what changed since the last one, unless one is under
// way or a snapshot is being installed, which puts a newer state in its place.
// What is written is data by then: the state goes on. The step that does it
// costs time by what changed, which CheckpointEntries and CheckpointBytes bound; of
// units most was taken before.
func (n *Node) startCheckpoint() {
	index, term := n.state.Applied()
	if n.fx.Halt != nil || n.checkpointing || n.core.Installing() || index <= n.checkpointed {
		return
	}
	n.checkpointing, n.grown = true, 0
	conf, base := n.core.Conf(), n.checkpointed
	sn, changes := n.state.Describe(conf), n.state.Drain()
	job := world.Job{
		Lane: world.LaneCheckpoint, Name: "checkpoint", Bytes: len(sn.Extra) + changes.Bytes(),
		Run: func(fs world.FS) error { return n.store.Write(fs, base, sn, changes.Records()) },
	}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: checkpoint %d: %w", index, err))
			return
		}
		n.mark(index, term, conf)
	})
}

// mark writes into the log that the checkpoint is durable; only then may the
// log's front go.
func (n *Node) mark(index, term uint64, conf []byte) {
	job := world.Job{
		Lane: world.LaneLog, Name: "mark", Bytes: 64,
		Run:  func(world.FS) error { return n.log.Append(&wal.Batch{Marker: &wal.Marker{Index: index, Term: term}}) },
		Sync: func(world.FS) error { return n.log.Sync() },
	}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: log: %w", err))
			return
		}
		n.checkpointing = false
		if index <= n.checkpointed {
			return // a snapshot was installed meanwhile
		}
		n.checkpointed = index
		release, err := n.core.Compact(index, n.cfg.CatchUpEntries, n.cfg.CheckpointBytes, conf)
		if err != nil {
			n.halt(fmt.Errorf("node: %w", err))
			return
		}
		n.release(min(release, index))
	})
}

// JobRelease is the name of the job that recycles segments of the log: who
// audits disks must have read them before it runs.
const JobRelease = "release"

// release lets the log recycle segments whose entries nobody needs.
func (n *Node) release(index uint64) {
	job := world.Job{
		Lane: world.LaneLog, Name: JobRelease,
		Run: func(world.FS) error { return n.log.Release(index) },
	}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: log: %w", err))
		}
	})
}
