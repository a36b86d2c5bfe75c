package node

import (
	"fmt"

	"drydock/node/consensus"
	"drydock/node/state"
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

// startTransfers exports the checkpoint for members that raft wants to give a
// snapshot to. Raft takes no snapshot from before its own member joined, so a
// checkpoint that is older than the last change of membership is renewed first.
func (n *Node) startTransfers(list []world.MemberID) {
	for _, to := range list {
		if n.cleaning {
			n.core.ReportSnapshot(to, false) // raft asks again
			continue
		}
		if n.findTransfer(to) != nil {
			continue
		}
		if n.checkpointed < n.changed {
			n.startCheckpoint()
		}
		t := &transfer{to: to, name: fmt.Sprintf("send-%016x", uint64(to))}
		n.transfers = append(n.transfers, t)
		var sn state.Snapshot
		var size uint64
		least := n.checkpointed
		job := world.Job{Lane: world.LaneCheckpoint, Name: "export", Run: func(fs world.FS) (err error) {
			sn, size, err = n.store.Export(fs, t.name)
			return err
		}}
		n.submit(job, func(err error) {
			if err == nil && sn.Index < least {
				n.halt(fmt.Errorf("node: the checkpoint holds index %d, written was %d", sn.Index, least))
			}
			if err != nil || t.over || !n.core.IsLeader() {
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

// cleanSnapshots removes snapshot files that nobody reads. It must not run
// beside a job that makes one; what it leaves goes with the next attempt.
func (n *Node) cleanSnapshots() {
	if n.cleaning || n.receiving != nil {
		return
	}
	var keep []string
	for _, t := range n.transfers {
		if t.sender == nil {
			return
		}
		keep = append(keep, t.name)
	}
	n.cleaning = true
	job := world.Job{Lane: world.LaneSnapshot, Name: "clean", Run: func(fs world.FS) error {
		return n.store.Clean(fs, keep...)
	}}
	n.submit(job, func(error) { n.cleaning = false })
}
