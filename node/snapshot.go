package node

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
)

// transfer is a snapshot on its way to a member: first exported to a file, then
// sent in pieces.
type transfer struct {
	to     world.MemberID
	name   string
	sender *consensus.Sender // nil while it is exported
	over   bool
}

// receiving is a snapshot that comes in.
type receiving struct {
	consensus.Receiver
	name string
	file Incoming // used by jobs of the snapshot lane only
	over bool     // verified, or given up
}

// startTransfers exports the checkpoint for members that raft wants to give a
// snapshot to.
func (n *Node) startTransfers(list []world.MemberID) {
	for _, to := range list {
		if n.findTransfer(to) != nil {
			continue
		}
		t := &transfer{to: to, name: fmt.Sprintf("send-%016x", uint64(to))}
		n.transfers = append(n.transfers, t)
		var sn state.Snapshot
		var size uint64
		job := world.Job{Lane: world.LaneCheckpoint, Name: "export", Run: func(fs world.FS) (err error) {
			sn, size, err = n.store.Export(fs, t.name)
			return err
		}}
		n.submit(job, func(err error) {
			if err != nil || t.over {
				n.endTransfer(t, false)
				return
			}
			_, term := n.core.Lead()
			t.sender = consensus.NewSender(to, sn.Index, term, size, n.cfg.ChunkBytes, n.at.Mono, n.cfg.Election)
			n.pumpTransfer(t)
		})
	}
}

func (n *Node) findTransfer(to world.MemberID) *transfer {
	for _, t := range n.transfers {
		if t.to == to {
			return t
		}
	}
	return nil
}

// pumpTransfer reads and sends as many pieces as the window allows.
func (n *Node) pumpTransfer(t *transfer) {
	for !t.over {
		offset, size, ok := t.sender.Want()
		if !ok {
			return
		}
		var data []byte
		job := world.Job{Lane: world.LaneSnapshot, Name: "read chunk", Run: func(fs world.FS) (err error) {
			data, err = n.store.ReadChunk(fs, t.name, offset, size)
			return err
		}}
		n.submit(job, func(err error) {
			switch {
			case t.over:
			case err != nil:
				n.endTransfer(t, false)
			default:
				n.sendFrame(&wire.Frame{Kind: wire.KindSnapChunk, To: t.to, Chunk: &wire.SnapChunk{
					Stream: t.sender.Stream, Term: t.sender.Term, Offset: offset, Total: t.sender.Total(), Data: data,
				}})
			}
		})
	}
}

func (n *Node) receiveAck(from world.MemberID, a *wire.SnapAck) {
	t := n.findTransfer(from)
	if t == nil || t.sender == nil || t.sender.Stream != a.Stream {
		return
	}
	if a.Done || a.Failed {
		n.endTransfer(t, a.Done)
		return
	}
	t.sender.Ack(a, n.at.Mono)
	n.pumpTransfer(t)
}

// tickTransfers repeats what got lost and gives up what leads nowhere.
func (n *Node) tickTransfers() {
	for i := 0; i < len(n.transfers); i++ {
		t := n.transfers[i]
		switch {
		case t.sender == nil:
		case !n.core.IsLeader() || t.sender.Tick(n.at.Mono):
			n.endTransfer(t, false)
			i--
		default:
			n.pumpTransfer(t)
		}
	}
}

func (n *Node) endTransfer(t *transfer, ok bool) {
	if !t.over {
		n.core.ReportSnapshot(t.to, ok)
	}
	t.over = true
	for i, other := range n.transfers {
		if other == t {
			n.transfers = append(n.transfers[:i:i], n.transfers[i+1:]...)
			n.cleanSnapshots()
			break
		}
	}
}

// receiveChunk takes a piece of a snapshot. A stream begins with its first
// piece; a newer one replaces one that is under way.
func (n *Node) receiveChunk(from world.MemberID, c *wire.SnapChunk) {
	r := n.receiving
	if r != nil && r.over {
		if n.core.Installing() {
			return // the answer comes when the snapshot is in place
		}
		n.receiving, r = nil, nil
	}
	if r == nil || r.From != from || r.Stream != c.Stream || r.Term != c.Term || r.Total != c.Total {
		applied, _ := n.state.Applied()
		switch {
		case c.Stream <= applied:
			n.sendAck(from, &wire.SnapAck{Stream: c.Stream, Done: true})
			return
		case r != nil && (r.Busy() || c.Term < r.Term):
			return
		case c.Offset != 0:
			n.sendAck(from, &wire.SnapAck{Stream: c.Stream, Failed: true})
			return
		}
		r = &receiving{
			Receiver: consensus.Receiver{From: from, Stream: c.Stream, Term: c.Term, Total: c.Total},
			name:     fmt.Sprintf("recv-%016x", c.Stream),
		}
		n.receiving = r
	}
	write, reply := r.Take(c)
	if reply != nil {
		n.sendAck(from, reply)
	}
	if write {
		n.writeChunk(r, c)
	}
}

func (n *Node) sendAck(to world.MemberID, a *wire.SnapAck) {
	n.sendFrame(&wire.Frame{Kind: wire.KindSnapAck, To: to, Ack: a})
}

func (n *Node) writeChunk(r *receiving, c *wire.SnapChunk) {
	job := world.Job{Lane: world.LaneSnapshot, Name: "write chunk", Bytes: len(c.Data), Run: func(fs world.FS) (err error) {
		if r.file == nil {
			if r.file, err = n.store.Receive(fs, r.name); err != nil {
				return err
			}
		}
		return r.file.WriteAt(c.Data, int64(c.Offset))
	}}
	n.submit(job, func(err error) {
		if r.over {
			return
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
	var sn state.Snapshot
	job := world.Job{Lane: world.LaneSnapshot, Name: "verify snapshot", Run: func(world.FS) (err error) {
		sn, err = r.file.Finish()
		return err
	}}
	n.submit(job, func(err error) {
		if err != nil {
			n.dropReceiving(r)
			return
		}
		n.received, r.over = r.name, true
		conf, err := state.ConfOf(sn)
		if err != nil {
			return
		}
		cs, err := consensus.DecodeConf(conf)
		if err != nil {
			return
		}
		// Raft drops a snapshot that it does not need.
		_ = n.core.StepSnapshot(r.From, r.Term, &raftpb.SnapshotMetadata{Index: &sn.Index, Term: &sn.Term, ConfState: cs})
	})
}

func (n *Node) dropReceiving(r *receiving) {
	n.sendAck(r.From, &wire.SnapAck{Stream: r.Stream, Failed: true})
	r.over = true
	if n.receiving == r {
		n.receiving = nil
	}
}

// install makes a received snapshot the node's state: first the checkpoint,
// then the log's marker, then memory. Boot copes with a crash in between.
func (n *Node) install(a *consensus.Append) {
	name, index := n.received, a.Snapshot.GetIndex()
	var fresh *state.State
	job := world.Job{Lane: world.LaneCheckpoint, Name: "install", Run: func(fs world.FS) (err error) {
		if err := n.store.Import(fs, name); err != nil {
			return err
		}
		sn, records, found, err := n.store.Load(fs)
		if err != nil || !found {
			return fmt.Errorf("found %t: %w", found, err)
		}
		if sn.Index != index {
			return fmt.Errorf("holds index %d, raft was told %d", sn.Index, index)
		}
		fresh, _, err = state.Load(sn, recordIterator(records))
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
		n.clearWatches()
		n.state, n.checkpointed = fresh, a.Snapshot.GetIndex()
		n.follow()
		n.core.Persisted(a)
		if r := n.receiving; r != nil && r.over {
			n.sendAck(r.From, &wire.SnapAck{Stream: r.Stream, Offset: r.Total, Done: true})
			n.receiving = nil
		}
		n.cleanSnapshots()
		index, term := n.state.Applied()
		n.fx.Applied = append(n.fx.Applied, Mark{Index: index, Term: term, Revision: n.state.Revision(), Digest: n.state.Digest()})
	})
}

// cleanSnapshots removes snapshot files that nobody reads or writes.
func (n *Node) cleanSnapshots() {
	keep := []string{n.received}
	for _, t := range n.transfers {
		keep = append(keep, t.name)
	}
	if n.receiving != nil {
		keep = append(keep, n.receiving.name)
	}
	job := world.Job{Lane: world.LaneSnapshot, Name: "clean", Run: func(fs world.FS) error {
		return n.store.Clean(fs, keep...)
	}}
	// What could not be removed now goes with the next attempt.
	n.submit(job, func(error) {})
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
