package labworld

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/node/labcontrol"
	"drydock/sim/history"
	"drydock/vmlab/lab"
)

// applied asks all members how far they are, and what they hold, until ctx ends.
func (w *watch) applied(ctx context.Context) {
	for i := range w.r.site.Machines {
		m := &w.r.site.Machines[i]
		if m.Role != lab.RoleMember {
			continue
		}
		w.asks.Go(func() { w.ask(ctx, m) })
		if w.r.world.controls() {
			w.asks.Go(func() { w.look(ctx, m) })
		}
	}
	w.asks.Wait()
}

func (w *watch) ask(ctx context.Context, m *lab.Machine) {
	last, led := uint64(0), uint64(0)
	for rest(ctx, appliedEvery) == nil {
		var vars struct {
			Raft struct {
				Applied uint64 `json:"applied"`
				State   string `json:"raftState"`
				Term    uint64 `json:"term"`
			} `json:"raft.status"`
		}
		if w.r.get(ctx, m, "/debug/vars", &vars) != nil {
			continue
		}
		// Where logs go to a journal of the machine's own, its console doesn't tell.
		if !w.r.world.near() && vars.Raft.State == "StateLeader" && vars.Raft.Term > led {
			led = vars.Raft.Term
			l := history.Led{Time: int64(w.r.stage.now()), Node: m.Name, Term: led}
			w.r.stage.post(func() { w.led(l) })
		}
		if vars.Raft.Applied == last {
			continue
		}
		last = vars.Raft.Applied
		a := history.Applied{Time: int64(w.r.stage.now()), Node: m.Name, Index: last}
		w.r.stage.post(func() { w.r.res.Applied = append(w.r.res.Applied, a) })
	}
}

// look watches what a member holds in memory, and whom it brings up by a snapshot.
func (w *watch) look(ctx context.Context, m *lab.Machine) {
	var known []string
	for n := 0; rest(ctx, heldEvery) == nil; n++ {
		a, err := labcontrol.Ask(w.r.ground.Control(m.Name), labcontrol.Call{Look: true})
		if err != nil || a.Held == nil {
			continue // it has died, or has not started yet
		}
		for _, peer := range a.Held.Snapshots {
			if to := w.r.byPeer(peer); to != nil && !slices.Contains(known, peer) {
				name := to.Name
				w.r.stage.post(func() {
					w.r.info(m.Name, m.Name+" brings "+name+" up by a snapshot")
					w.r.conduct.Event(string(chaos.EventSnapshotSent), name)
				})
			}
		}
		known = a.Held.Snapshots
		if n%sizesEvery == 0 {
			size := w.sizes(m, a.Held)
			w.r.stage.post(func() { w.r.res.Sizes = append(w.r.res.Sizes, size) })
		}
	}
}

// sizes are what a member holds. A segment of its log has the size that real nodes'
// have, and not the scenario's, so what the log takes is not compared with that.
func (w *watch) sizes(m *lab.Machine, h *labcontrol.Held) history.Sizes {
	return history.Sizes{
		Time: int64(w.r.stage.now()), Node: m.Name, Inbox: h.Inbox, Calls: h.Calls, Watches: h.Watches, Jobs: h.Jobs,
		Proposals: h.Proposals, Reads: h.Reads, Entries: h.Entries, Disk: bytesBelow(w.r.dataDir(m)),
	}
}

// bytesBelow is how many bytes files take below a directory.
func bytesBelow(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // it has gone meanwhile
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// founders asks the first member for the founders' ids.
func (r *run) founders() ([]uint64, error) {
	if !r.world.controls() {
		return nil, nil
	}
	a, err := labcontrol.Ask(r.ground.Control(r.site.Machines[0].Name), labcontrol.Call{Look: true})
	if err != nil {
		return nil, fmt.Errorf("%s can't be controlled: %w", r.site.Machines[0].Name, err)
	}
	var list []uint64
	for _, s := range a.Held.Members {
		list = append(list, s.ID)
	}
	return list, nil
}

// stallEvery is how often it is seen whether the machine lets anything run.
const stallEvery = 20 * time.Millisecond

// pulse watches the machine itself: for how long it has let nothing run, or not written
// to its disk. No cluster can answer sooner.
func (r *run) pulse(ctx context.Context) {
	path := filepath.Join(r.site.Dir, "pulse")
	for rest(ctx, stallEvery) == nil {
		began := time.Now()
		if err := touch(path); err != nil {
			return // no room, which is what is tested, maybe
		}
		wrote := time.Since(began)
		if rest(ctx, stallEvery) != nil {
			return
		}
		slept := time.Since(began) - wrote - stallEvery
		if late := max(wrote, slept); late > r.stall.longest {
			r.stall.longest, r.stall.at = late, r.stage.now()
		}
	}
}

// touch writes a byte to a file and syncs it.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write([]byte{1}); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
