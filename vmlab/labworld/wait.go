package labworld

import (
	"context"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
	"drydock/vmlab/lab"
)

// dieTime is how long a node may take to end itself after its disk has failed it.
const dieTime = 2 * time.Second

// struck returns what is told when a fault that lay in wait has struck a node: by any
// goroutine, and before it is known whether the node lives on.
func (r *run) struck(f chaos.Fault) func(node, detail string, dead bool) {
	told := f.Struck
	return func(node, detail string, _ bool) {
		r.aside(func(ctx context.Context) {
			dead := r.dies(ctx, node)
			r.stage.post(func() {
				led := node == r.leaders.leading
				r.res.Faults = append(r.res.Faults, history.Fault{
					Time: int64(r.stage.now()), Kind: string(f.Kind), Node: node, TookLeader: dead && led,
				})
				if dead && led {
					r.leaders.gone(r.stage.now())
				}
				if told != nil {
					told(node, detail, dead)
				}
			})
		})
	}
}

// dies says whether a node ends within dieTime.
func (r *run) dies(ctx context.Context, node string) bool {
	end := time.Now().Add(dieTime)
	for time.Now().Before(end) {
		if v := r.ground.Vitals(node); v.Power != lab.PowerOn || !v.NodeUp {
			return true
		}
		if rest(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
	return false
}
