package consensus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
)

// Run measures cases.
type Run struct {
	Cases  []Case
	Times  Times
	Timers Timers
	// Rounds is how often each case is measured.
	Rounds int
	// Dir is where members on the disk have their files.
	Dir string
	// PeerProgram is the other library's program.
	PeerProgram string
	// Seed decides the order within rounds.
	Seed uint64
	// Progress is told what is measured next.
	Progress func(done, all int, c Case)

	segment int64 // bytes of a segment of a log on the disk; 0: the node's default
}

// Measure returns a row for each case, in their order, with as many rounds as
// were finished when it was interrupted or failed.
func (r *Run) Measure(ctx context.Context) ([]Row, error) {
	rows := make([]Row, len(r.Cases))
	for i, c := range r.Cases {
		rows[i].Case = c
	}
	order := rand.New(rand.NewPCG(r.Seed, 0))
	done := 0
	for round := range r.Rounds {
		groups := r.groups()
		order.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		for _, group := range groups {
			order.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
			if err := r.group(ctx, rows, group, &done); err != nil {
				return rows, fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	return rows, nil
}

// groups returns the cases, by index, that share a cluster.
func (r *Run) groups() (groups [][]int) {
	var made []Case
	for i, c := range r.Cases {
		at := slices.Index(made, c.cluster())
		if at < 0 {
			at = len(made)
			made, groups = append(made, c.cluster()), append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// group measures one round of cases that share a cluster.
func (r *Run) group(ctx context.Context, rows []Row, group []int, done *int) (err error) {
	// What went before has left garbage that isn't these cases'.
	runtime.GC()
	var cl *cluster
	if first := r.Cases[group[0]]; first.System == Own && (first.Work == Write || first.Work == Read) {
		r.Progress(*done, r.Rounds*len(r.Cases), first)
		if cl, err = r.startCluster(ctx, first); err != nil {
			return fmt.Errorf("%s: %w", first, err)
		}
		defer func() {
			if failed := cl.close(); err == nil {
				err = failed
			}
		}()
	}
	for _, i := range group {
		c := r.Cases[i]
		r.Progress(*done, r.Rounds*len(r.Cases), c)
		s, err := r.once(ctx, cl, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		rows[i].Rounds = append(rows[i].Rounds, s)
		*done++
	}
	return nil
}

func (r *Run) once(ctx context.Context, cl *cluster, c Case) (Sample, error) {
	switch {
	case c.System == Peer:
		return r.measurePeer(ctx, c)
	case cl != nil:
		return measureLoad(ctx, cl, c, r.Times)
	}
	return r.measureCore(ctx, c)
}
