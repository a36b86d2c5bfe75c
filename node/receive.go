package node

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
)

// receiving is a snapshot that comes in. There is one at a time.
type receiving struct {
	consensus.Receiver
	file Incoming // used by jobs of the snapshot lane only
	// whole says that all of it is written: it is being verified or installed,
	// and nothing takes its place before that has ended.
	whole bool
}

// receivedName is the file of the snapshot whose last entry is at index.
func receivedName(index uint64) string { return fmt.Sprintf("recv-%016x", index) }

// receiveChunk takes a piece of a snapshot.
func (n *Node) receiveChunk(from world.MemberID, c *wire.SnapChunk) {
	r := n.receiving
	if r == nil || r.From != from || r.Stream != c.Stream || r.Term != c.Term || r.Total != c.Total {
		if r = n.beginReceiving(from, c); r == nil {
			return
		}
	}
	if r.whole {
		// The last word is not spoken yet; the sender learns that it will be.
		n.sendAck(from, &wire.SnapAck{Stream: c.Stream, Offset: c.Offset})
		return
	}
	write, reply := r.Take(c)
	if reply != nil {
		n.sendAck(from, reply)
	}
	if write {
		n.writeChunk(r, c)
	}
}

// beginReceiving starts a stream with its first piece. A newer one replaces one
// that is under way, between two pieces.
func (n *Node) beginReceiving(from world.MemberID, c *wire.SnapChunk) *receiving {
	applied, _ := n.state.Applied()
	old := n.receiving
	switch {
	case c.Stream <= applied:
		n.sendAck(from, &wire.SnapAck{Stream: c.Stream, Done: true})
		return nil
	case n.cleaning || (old != nil && (old.whole || old.Busy() || c.Term < old.Term)):
		return nil
	case c.Offset != 0:
		n.sendAck(from, &wire.SnapAck{Stream: c.Stream, Failed: true})
		return nil
	}
	if old != nil {
		n.abort(old)
	}
	n.receiving = &receiving{Receiver: consensus.Receiver{From: from, Stream: c.Stream, Term: c.Term, Total: c.Total}}
	return n.receiving
}

func (n *Node) sendAck(to world.MemberID, a *wire.SnapAck) {
	n.sendFrame(&wire.Frame{Kind: wire.KindSnapAck, To: to, Ack: a})
}

func (n *Node) writeChunk(r *receiving, c *wire.SnapChunk) {
	job := world.Job{Lane: world.LaneSnapshot, Name: "write chunk", Bytes: len(c.Data), Run: func(fs world.FS) (err error) {
		if r.file == nil {
			if r.file, err = n.store.Receive(fs, receivedName(r.Stream)); err != nil {
				return err
			}
		}
		return r.file.WriteAt(c.Data, int64(c.Offset))
	}}
	n.submit(job, func(err error) {
		if n.receiving != r {
			return // given up
		}
		if err != nil {
			n.dropReceiving(r)
			return
		}
		ack, complete := r.Wrote(len(c.Data))
		if complete {
			n.finishReceiving(r)
			return
		}
		n.sendAck(r.From, ack)
	})
}

// finishReceiving verifies the file and tells raft of the snapshot.
func (n *Node) finishReceiving(r *receiving) {
	r.whole = true
	var sn state.Snapshot
	job := world.Job{Lane: world.LaneSnapshot, Name: "verify snapshot", Run: func(world.FS) (err error) {
		sn, err = r.file.Finish()
		return err
	}}
	n.submit(job, func(err error) {
		if err == nil {
			err = n.offer(r, sn)
		}
		// Raft drops a snapshot that it does not need.
		if err != nil || !n.core.Installing() {
			n.dropReceiving(r)
		}
	})
}

// offer tells raft of a verified snapshot.
func (n *Node) offer(r *receiving, sn state.Snapshot) error {
	if sn.Index != r.Stream {
		return fmt.Errorf("node: snapshot of index %d came as stream %d", sn.Index, r.Stream)
	}
	conf, err := state.ConfAs(n.cfg.Release, sn)
	if errors.Is(err, state.ErrRelease) {
		// Giving the snapshot up would only have it sent again.
		n.halt(fmt.Errorf("node: snapshot: %w", err))
	}
	if err != nil {
		return err
	}
	cs, err := consensus.DecodeConf(conf)
	if err != nil {
		return err
	}
	return n.core.StepSnapshot(r.From, r.Term, &raftpb.SnapshotMetadata{Index: &sn.Index, Term: &sn.Term, ConfState: cs})
}

// dropReceiving gives a snapshot up; its sender starts anew, if it still needs
// to.
func (n *Node) dropReceiving(r *receiving) {
	n.sendAck(r.From, &wire.SnapAck{Stream: r.Stream, Failed: true})
	n.abort(r)
	n.receiving = nil
	n.cleanSnapshots()
}

// abort closes what was received and removes it.
func (n *Node) abort(r *receiving) {
	job := world.Job{Lane: world.LaneSnapshot, Name: "abort", Run: func(world.FS) error {
		if r.file == nil {
			return nil
		}
		return r.file.Abort()
	}}
	// A file that is finished can't be aborted any more; it is cleaned away.
	n.submit(job, func(error) {})
}

// install makes a received snapshot the node's state: first the checkpoint,
// then the log's marker, then memory. Boot copes with a crash in between. The
// whole state is in memory twice meanwhile.
func (n *Node) install(a *consensus.Append) {
	index := a.Snapshot.GetIndex()
	var fresh *state.State
	job := world.Job{Lane: world.LaneCheckpoint, Name: "install", Run: func(fs world.FS) (err error) {
		if err := n.store.Import(fs, receivedName(index)); err != nil {
			return err
		}
		sn, records, found, err := n.store.Load(fs)
		if err != nil {
			return err
		}
		if !found || sn.Index != index {
			return fmt.Errorf("checkpoint found %t with index %d, raft was told %d", found, sn.Index, index)
		}
		fresh, _, err = state.LoadAs(n.cfg.Release, sn, recordIterator(records))
		return err
	}}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: snapshot %d: %w", index, err))
			return
		}
		n.installLog(a, fresh)
	})
}

// installLog makes the log begin after the snapshot.
func (n *Node) installLog(a *consensus.Append, fresh *state.State) {
	b := logBatch(a)
	b.Reset, b.Marker = true, &wal.Marker{Index: a.Snapshot.GetIndex(), Term: a.Snapshot.GetTerm()}
	job := world.Job{
		Lane: world.LaneLog, Name: "reset", Bytes: batchBytes(b),
		Run:  func(world.FS) error { return n.log.Append(b) },
		Sync: func(world.FS) error { return n.log.Sync() },
	}
	n.submit(job, func(err error) {
		if err != nil {
			n.halt(fmt.Errorf("node: log: %w", err))
			return
		}
		n.adopt(a, fresh)
	})
}

// adopt makes the installed state the node's.
func (n *Node) adopt(a *consensus.Append, fresh *state.State) {
	index := a.Snapshot.GetIndex()
	n.clearWatches()
	n.state, n.checkpointed, n.grown = fresh, index, 0
	n.recovered = 0
	n.follow()
	n.core.Persisted(a)
	if r := n.receiving; r != nil {
		n.sendAck(r.From, &wire.SnapAck{Stream: r.Stream, Offset: r.Total, Done: true})
		n.receiving = nil
	}
	n.cleanSnapshots()
	_, term := n.state.Applied()
	n.fx.Applied = append(n.fx.Applied, Mark{Index: index, Term: term, Revision: n.state.Revision(), Digest: n.state.Digest()})
}

// clearWatches ends all watches: events between the old state and the new are
// not known here (etcd's code 400).
func (n *Node) clearWatches() {
	n.deliverWatches()
	err := &keys.Error{Code: keys.CodeWatcherCleared, Index: n.state.Keys().Index()}
	for _, id := range n.watchers.ids() {
		token := n.watchers.byID[id]
		n.fx.Watches = append(n.fx.Watches, WatchNews{Token: token, Err: err, Last: true, Meta: n.meta(), Now: n.now()})
		n.watchers.drop(id)
		delete(n.calls, token)
	}
}
