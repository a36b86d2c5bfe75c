package consensus

import (
	"context"
	"fmt"
	"time"

	"drydock/node/host"
)

// Cluster is a running cluster of whole members, for benchmarks of other packages.
type Cluster struct{ cl *cluster }

// Open founds and starts members: on the disk below dir, which Close empties again, or
// in memory. They have agreed on a first write when it returns.
func Open(ctx context.Context, members int, storage Storage, links Links, dir string, t Timers) (*Cluster, error) {
	r := &Run{Dir: dir, Timers: t}
	cl, err := r.startCluster(ctx, Case{System: Own, Work: Write, Members: members, Storage: storage, Links: links})
	if err != nil {
		return nil, fmt.Errorf("cluster of %d members: %w", members, err)
	}
	return &Cluster{cl}, nil
}

// ID is the cluster's id, as frames carry it.
func (c *Cluster) ID() uint64 { return clusterID }

// Hosts are the members, in order of id.
func (c *Cluster) Hosts() []*host.Host {
	var list []*host.Host
	for _, m := range c.cl.members {
		list = append(list, m.host.Load())
	}
	return list
}

// Leader is the member that leads, or nil.
func (c *Cluster) Leader() *host.Host {
	if m := c.cl.leader(); m != nil {
		return m.host.Load()
	}
	return nil
}

// Totals are counters of all members together, since they were started.
type Totals struct {
	// Frames and Sent are what members have sent each other, and its bytes; Syncs are
	// those of their logs.
	Frames, Sent, Syncs uint64
	// Term is the latest.
	Term uint64
}

// Totals counts.
func (c *Cluster) Totals() Totals {
	t := c.cl.totals()
	return Totals{Frames: t.frames, Sent: t.sent, Syncs: t.syncs, Term: t.term}
}

// Agree waits until all members have applied the same and hold the same, by digest.
func (c *Cluster) Agree(ctx context.Context, wait time.Duration) error {
	if err := poll(ctx, "members that agree", wait, func() bool { return c.cl.agree() == nil }); err != nil {
		return fmt.Errorf("%w: %w", err, c.cl.agree())
	}
	return nil
}

// Close stops the members and removes their files.
func (c *Cluster) Close() error { return c.cl.close() }
