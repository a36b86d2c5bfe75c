package sim

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/state"
	"drydock/sim/history"
)

// Times of users.
const (
	userRetry   = 100 * time.Millisecond
	userTimeout = 3 * time.Second
	// usersAtOnce bounds what all users together have open.
	usersAtOnce = 256
)

// users ask the cluster to do things with units and machines, as patient people do:
// each thing again and again until it is acknowledged, and what concerns one unit
// one after another.
type users struct {
	w    *World
	rng  *rand.Rand
	list []*wanted
	by   map[string]*wanted
	// queues are the wishes about each unit or machine that wait, busy those that
	// are being asked; ready are the names whose turn it is when others end.
	queues map[string][]*wish
	busy   map[string]bool
	ready  []string
	open   int
}

// wanted is what users want of a unit.
type wanted struct {
	*FleetUnit
	edition int
	desired string // "" while there is no such unit
}

// wish is one thing to ask for.
type wish struct {
	record  int // in the referee's list
	about   string
	command func() *fleet.Command
}

func newUsers(w *World) *users {
	return &users{
		w: w, rng: w.src.Stream("users"), by: make(map[string]*wanted),
		queues: make(map[string][]*wish), busy: make(map[string]bool),
	}
}

func (u *users) learn(f *FleetUnit) {
	x := &wanted{FleetUnit: f, edition: 1}
	u.list = append(u.list, x)
	u.by[f.Name] = x
	u.w.fleet.referee.units(f.Facts)
}

// begin has units submitted at their times.
func (u *users) begin() {
	for _, x := range u.list {
		if x.Desired == "later" {
			continue
		}
		do := map[string]string{"launched": chaos.DoStart, "loaded": chaos.DoLoad, "inactive": chaos.DoSubmit}[x.Desired]
		u.w.queue.At(x.At, func() { u.do(x, do) })
	}
}

// act does something with all units whose names match, and says with how many.
func (u *users) act(p *chaos.Units) int {
	n := 0
	for _, x := range u.list {
		if chaos.MatchUnit(p.Name, x.Name) && u.do(x, p.Do) {
			n++
		}
	}
	return n
}

// do asks for one thing to be done with a unit, and says whether that makes sense.
func (u *users) do(x *wanted, do string) bool {
	put := &fleet.Put{Name: x.Name}
	record := history.FleetWish{Unit: x.Name, Do: do}
	switch do {
	case chaos.DoStart, chaos.DoLoad, chaos.DoSubmit:
		if do == chaos.DoSubmit && x.desired != "" {
			return false
		}
		x.desired = map[string]string{chaos.DoStart: "launched", chaos.DoLoad: "loaded", chaos.DoSubmit: "inactive"}[do]
		put.Text = x.Text(x.edition)
	case chaos.DoStop, chaos.DoUnload:
		if x.desired == "" {
			return false
		}
		x.desired = map[string]string{chaos.DoStop: "loaded", chaos.DoUnload: "inactive"}[do]
	case chaos.DoRestart:
		if x.desired != "launched" {
			return false
		}
		put.Restart = true
	case chaos.DoReplace:
		if x.desired == "" {
			return false
		}
		x.edition++
		put.Text = x.Text(x.edition)
	case chaos.DoDestroy:
		if x.desired == "" {
			return false
		}
		x.desired = ""
		u.ask(x.Name, record, func() *fleet.Command { return &fleet.Command{Destroy: &fleet.Destroy{Name: x.Name}} })
		return true
	}
	if !put.Restart {
		desired := map[string]fleet.Desired{"launched": fleet.Launched, "loaded": fleet.Loaded, "inactive": fleet.Inactive}[x.desired]
		if isTemplate(x.Name) {
			desired = fleet.Launched // its replicas are
		}
		put.Desired = &desired
	}
	record.Desired = x.desired
	if put.Text != "" {
		record.Hash = hashOf(x.Name, put.Text)
	}
	u.ask(x.Name, record, func() *fleet.Command { return &fleet.Command{Put: put} })
	return true
}

func isTemplate(name string) bool { return strings.Contains(name, "@.") }

// drain begins or ends the emptying of a machine.
func (u *users) drain(b *box, on bool) {
	u.ask(b.name, history.FleetWish{Machine: b.name, Do: string(chaos.KindDrain), End: !on}, func() *fleet.Command {
		return &fleet.Command{Drain: &fleet.Drain{Machine: b.id, On: on}}
	})
}

// patch changes a machine's metadata, or takes back what was changed.
func (u *users) patch(b *box, pairs []string, back bool) {
	now := maps.Clone(b.metadata)
	if now == nil {
		now = make(map[string]string)
	}
	var ops []fleet.PatchOp
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		if old, had := b.metadata[key]; back {
			// What users have set outranks the machine's own word for ever.
			if op := (fleet.PatchOp{Machine: b.id, Key: key}); had {
				op.Value = &old
				ops = append(ops, op)
			} else {
				ops = append(ops, op)
			}
			continue
		}
		setPair(now, pair)
		op := fleet.PatchOp{Machine: b.id, Key: key}
		if value != "" {
			op.Value = &value
		}
		ops = append(ops, op)
	}
	u.ask(b.name, history.FleetWish{
		Machine: b.name, Do: string(chaos.KindMetadata), End: back, Metadata: metadataPairs(now),
	}, func() *fleet.Command { return &fleet.Command{Patch: &fleet.Patch{Ops: ops}} })
}

// ask queues a wish about a unit or machine.
func (u *users) ask(about string, record history.FleetWish, command func() *fleet.Command) {
	w := &wish{about: about, command: command, record: u.w.fleet.referee.asked(record)}
	u.queues[about] = append(u.queues[about], w)
	if !u.busy[about] {
		u.busy[about] = true
		u.ready = append(u.ready, about)
	}
	u.next()
}

// next begins what may be begun.
func (u *users) next() {
	for u.open < usersAtOnce && len(u.ready) > 0 {
		about := u.ready[0]
		u.ready = u.ready[1:]
		w := u.queues[about][0]
		u.open++
		u.try(w)
	}
}

// try asks some member.
func (u *users) try(w *wish) {
	m := u.member()
	if m == nil {
		u.w.queue.After(userRetry, func() { u.try(w) })
		return
	}
	over := false
	end := func(a *node.Answer) {
		if over {
			return
		}
		over = true
		u.answered(w, a)
	}
	m.front.operate(func(token uint64) node.Input {
		return node.FleetRequest{Token: token, Command: w.command()}
	}, end)
	u.w.queue.After(userTimeout, func() { end(nil) })
}

// member draws a living member, more often than not the leader.
func (u *users) member() *machine {
	if l := u.w.leader(); l != nil && l.status == up && u.rng.IntN(3) > 0 {
		return l
	}
	alive := slices.DeleteFunc(slices.Clone(u.w.machines), func(m *machine) bool { return m.status != up || m.node == nil })
	if len(alive) == 0 {
		return nil
	}
	return alive[u.rng.IntN(len(alive))]
}

// answered takes the end of an attempt. A refusal by the state is an answer, too,
// unless the members' releases are in the way.
func (u *users) answered(w *wish, a *node.Answer) {
	if a == nil || a.Status != consensus.Done || a.Refusal != nil && isNotYet(a.Refusal) {
		u.w.queue.After(userRetry+time.Duration(u.rng.Int64N(int64(userRetry))), func() { u.try(w) })
		return
	}
	u.w.fleet.referee.acknowledged(w.record, a.Refusal)
	u.open--
	u.queues[w.about] = u.queues[w.about][1:]
	if len(u.queues[w.about]) > 0 {
		u.ready = append(u.ready, w.about)
	} else {
		u.busy[w.about] = false
	}
	u.next()
}

func isNotYet(err error) bool { return errors.Is(err, state.ErrNotYet) }
