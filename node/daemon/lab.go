package daemon

import (
	"context"
	"errors"
	"fmt"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/labcontrol"
	"drydock/node/world"
)

// errWorker is what --lab-control gives a worker.
var errWorker = errors.New("a worker's disk and clocks can't be controlled")

// checkLab refuses to be controlled by a lab where there is none, or nothing to control:
// a switch that does nothing must not look as if it did.
func (c *Config) checkLab(getenv func(string) string) error {
	switch {
	case c.LabControl == "":
		return nil
	case getenv(labcontrol.Environment) == "":
		return c.errorf("lab-control", "%w", labcontrol.ErrNoLab)
	case c.Join != "":
		return c.errorf("lab-control", "%w", errWorker)
	}
	return nil
}

// controlled hands a member's disk and clocks to the lab that it runs in, if that
// has asked for it.
func (m *member) controlled(o *host.Options) (err error) {
	if m.cfg.LabControl == "" {
		return nil
	}
	if m.lab, err = labcontrol.Open(m.cfg.LabControl, m.getenv, m.disk); err != nil {
		return m.cfg.errorf("lab-control", "%w", err)
	}
	o.Clocks = m.lab.Clock
	m.log.Warn("a lab controls this node's disk and clocks: what is not synced is lost with the process")
	return nil
}

// attached makes the node, which has started, known to the lab that controls it.
func (m *member) attached() {
	if m.lab != nil {
		m.lab.Attach(labNode{m.host})
	}
}

// files are what the node keeps its data in.
func (m *member) files() world.FS {
	if m.lab != nil {
		return m.lab.Disk
	}
	return m.disk
}

// labNode is the node as its lab asks it.
type labNode struct{ host *host.Host }

// Transfer implements labcontrol.Node.
func (l labNode) Transfer(ctx context.Context, name string) error {
	var to world.MemberID
	err := l.host.Look(func(n *node.Node) {
		for _, o := range n.State().Members() {
			if o.Name == name {
				to = o.ID
			}
		}
	})
	if err != nil {
		return err
	}
	if to == 0 {
		return fmt.Errorf("no member is called %q", name)
	}
	if a := l.host.Transfer(ctx, to); a.Status == consensus.Refused {
		return fmt.Errorf("refused: %s", a.Reason)
	}
	return nil
}

// Look implements labcontrol.Node.
func (l labNode) Look() (h labcontrol.Held, err error) {
	inner, outer := l.host.QueueDepths()
	err = l.host.Look(func(n *node.Node) {
		b := n.Burden()
		h = labcontrol.Held{
			Inbox: inner + outer, Calls: b.Calls, Watches: b.Watches, Jobs: b.Jobs, Proposals: b.Proposals, Reads: b.Reads, Entries: b.Entries,
		}
		for _, o := range n.State().Members() {
			s := labcontrol.Seat{ID: uint64(o.ID), Name: o.Name, Voter: !o.Learner}
			if len(o.PeerURLs) > 0 {
				s.Peer = o.PeerURLs[0]
			}
			h.Members = append(h.Members, s)
		}
		for _, p := range n.Progress() {
			if o, ok := n.State().Member(p.ID); ok && p.Snapshot && len(o.PeerURLs) > 0 {
				h.Snapshots = append(h.Snapshots, o.PeerURLs[0])
			}
		}
	})
	return h, err
}
