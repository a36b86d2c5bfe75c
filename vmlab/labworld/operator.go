package labworld

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"drydock/chaos"
	"drydock/node/labcontrol"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// operated are the faults that somebody who runs a cluster brings about: by its API,
// and by machines that are set up anew.
var operated = []chaos.Kind{chaos.KindTransfer, chaos.KindMembership, chaos.KindReplace, chaos.KindWipe}

// operates says whether the driver's machines can be operated so.
func (w world) operates(k chaos.Kind) error {
	missing := &lab.MissingError{What: string(k), Driver: w.driver.Name()}
	switch {
	case k == chaos.KindTransfer && !w.controls():
		missing.Needs, missing.Why = lab.HasControl, "nodes are asked by their lab's socket"
	case k != chaos.KindTransfer && (!w.controls() || !w.near()):
		missing.Why = "its machines are told once and for all how they find their cluster"
	default:
		return nil
	}
	return missing
}

// Times of the operator.
const (
	operatorRetry = 150 * time.Millisecond
	// operatorGrace is how long a removed member may still run.
	operatorGrace = 500 * time.Millisecond
)

// operate carries out a fault that the operator brings about. It is called on the
// stage.
func (r *run) operate(f chaos.Fault) (detail string, err error) {
	switch p := f.Params.(type) {
	case *chaos.Transfer:
		return "", r.transfer(f.Nodes)
	case *chaos.Membership:
		return "", r.membership(p)
	case *chaos.Wipe:
		return r.wipe(f.Nodes, p.Destroy)
	case *chaos.Replace:
		if detail, err = r.wipe(f.Nodes, p.Destroy); err != nil {
			return "", err
		}
		for _, name := range f.Nodes {
			if r.seats[name].lost {
				r.replace(r.site.Machine(name))
			}
		}
		return detail, nil
	}
	return "", errors.ErrUnsupported
}

// seat is what the operator knows of a member's machine. It is the stage's, but for
// outside, which clients read.
type seat struct {
	// outside machines have not joined yet, or have left.
	outside atomic.Bool
	// leaving members are about to; joining ones have no vote yet.
	leaving, joining bool
	// lost says that its disk is empty or refused: it comes back as a new member.
	lost bool
	// replacing says that somebody is about it.
	replacing bool
	// lives counts how often the machine was set up anew.
	lives int
}

// newSeats seats the founders.
func (r *run) newSeats() {
	r.seats, r.joined = map[string]*seat{}, map[string]bool{}
	for i := range r.site.Machines {
		if m := &r.site.Machines[i]; m.Role == lab.RoleMember {
			r.seats[m.Name] = new(seat)
			r.seats[m.Name].outside.Store(m.Joins)
		}
	}
}

// transfer asks the leader to hand over.
func (r *run) transfer(nodes []string) error {
	leader := r.leaders.leading
	if leader == "" || len(nodes) != 1 || nodes[0] == leader {
		return fmt.Errorf("%w: nobody to hand over", chaos.ErrNoEffect)
	}
	to := nodes[0]
	r.aside(func(context.Context) {
		// A leader that has lost its office meanwhile has nothing to hand over.
		_ = inject.HandOver(r.ground, leader, to)
	})
	return nil
}

// aside does something beside the stage, until the run's end at most.
func (r *run) aside(do func(ctx context.Context)) {
	r.errands.Go(func() { do(r.stage.ctx) })
}

// membership changes who is a member.
func (r *run) membership(p *chaos.Membership) error {
	for _, name := range p.Remove {
		switch s := r.seats[name]; {
		case s == nil || s.outside.Load() || s.leaving:
			return fmt.Errorf("%w: %s is no member", chaos.ErrNoEffect, name)
		case s.joining || s.replacing:
			return fmt.Errorf("%w: %s has not joined", chaos.ErrNotYet, name)
		}
	}
	for _, name := range p.Add {
		if s := r.seats[name]; s == nil || !s.outside.Load() || s.lives > 0 {
			return fmt.Errorf("%w: %s is or was a member", chaos.ErrNoEffect, name)
		}
	}
	for _, name := range p.Add {
		s, m := r.seats[name], r.site.Machine(name)
		s.joining, s.lives = true, 1
		s.outside.Store(false)
		r.aside(func(ctx context.Context) { r.join(ctx, m, "learns", "votes") })
	}
	if len(p.Remove) > 0 {
		for _, name := range p.Remove {
			r.seats[name].leaving = true
		}
		r.aside(func(ctx context.Context) { r.dismiss(ctx, p.Remove) })
	}
	return nil
}

// dismiss removes members one after the other, and then stops them.
func (r *run) dismiss(ctx context.Context, names []string) {
	for _, name := range names {
		m := r.site.Machine(name)
		if r.removed(ctx, m) != nil {
			return
		}
	}
	r.stage.post(func() { r.info("", strings.Join(names, ", ")+" are no members any more") })
	if rest(ctx, operatorGrace) != nil {
		return
	}
	for _, name := range names {
		r.stage.post(func() {
			r.seats[name].leaving = false
			r.seats[name].outside.Store(true)
		})
		_ = r.ground.Cut(name)
	}
}

// replace has a machine whose disk is lost join as a new member: its old id leaves
// first. It is called on the stage.
func (r *run) replace(m *lab.Machine) {
	s := r.seats[m.Name]
	s.replacing = true
	s.lives++
	r.info(m.Name, m.Name+" has an empty disk: its old id leaves, a new one will join")
	r.aside(func(ctx context.Context) {
		if r.removed(ctx, m) != nil {
			return
		}
		_ = r.ground.Cut(m.Name)
		if err := os.RemoveAll(r.dataDir(m)); err != nil {
			r.stage.post(func() { r.info(m.Name, err.Error()) })
			return
		}
		r.join(ctx, m, "", "is replaced and votes")
	})
}

// join has the cluster add a machine's member, starts it, and waits for its vote.
func (r *run) join(ctx context.Context, m *lab.Machine, learns, votes string) {
	if r.until(ctx, func(l []labcontrol.Seat) bool { return seated(l, m) != nil }, func(through *lab.Machine) error {
		return r.change(ctx, http.MethodPost, through, "", map[string]any{"peerURLs": []string{m.PeerURL()}})
	}) != nil {
		return
	}
	if learns != "" {
		r.stage.post(func() { r.info(m.Name, m.Name+" "+learns) })
	}
	if err := r.bootAsNew(ctx, m.Name); err != nil {
		r.stage.post(func() { r.info(m.Name, fmt.Sprintf("%s does not start: %v", m.Name, err)) })
		return
	}
	r.rec.Restarted(m.Name)
	if r.until(ctx, func(l []labcontrol.Seat) bool { one := seated(l, m); return one != nil && one.Voter }, nil) != nil {
		return
	}
	r.stage.post(func() {
		s := r.seats[m.Name]
		s.joining, s.replacing, s.lost = false, false, false
		r.info(m.Name, m.Name+" "+votes)
		r.conduct.Event(string(chaos.EventMemberAdded), m.Name)
	})
}

// bootAsNew boots a machine that joins the cluster. The run's own list of machines stays
// as it is: many read it.
func (r *run) bootAsNew(ctx context.Context, name string) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	changer, ok := r.ground.(lab.Changer)
	if !ok {
		return fmt.Errorf("machines of the driver %s can't change: %w", r.world.Driver(), errors.ErrUnsupported)
	}
	site := *r.site
	site.Machines = slices.Clone(site.Machines)
	for i := range site.Machines {
		one := &site.Machines[i]
		one.Joins = one.Joins || one.Name == name || r.joined[one.Name]
	}
	r.joined[name] = true
	m := site.Machine(name)
	if err := changer.Admit(ctx, site, m); err != nil {
		return err
	}
	return r.ground.Boot(ctx, m)
}

// removed takes a machine's member out of the cluster.
func (r *run) removed(ctx context.Context, m *lab.Machine) error {
	return r.until(ctx, func(l []labcontrol.Seat) bool { return seated(l, m) == nil }, func(through *lab.Machine) error {
		held, err := labcontrol.Ask(r.ground.Control(through.Name), labcontrol.Call{Look: true})
		if err != nil {
			return err
		}
		one := seated(held.Held.Members, m)
		if one == nil {
			return nil
		}
		return r.change(ctx, http.MethodDelete, through, fmt.Sprintf("/%x", one.ID), nil)
	})
}

// until has something done, again and again, until the members are as they should be,
// by the state of the one that leads. Do, if not nil, is asked of the leader.
func (r *run) until(ctx context.Context, so func([]labcontrol.Seat) bool, do func(through *lab.Machine) error) error {
	for {
		through := r.site.Machine(r.leader(ctx))
		if through != nil {
			if a, err := labcontrol.Ask(r.ground.Control(through.Name), labcontrol.Call{Look: true}); err == nil && so(a.Held.Members) {
				return nil
			}
			if do != nil {
				// It is asked again if it was refused, or came to nothing.
				_ = do(through)
			}
		}
		if err := rest(ctx, operatorRetry); err != nil {
			return err
		}
	}
}

// leader asks the stage who leads.
func (r *run) leader(ctx context.Context) string {
	answer := make(chan string, 1)
	r.stage.post(func() { answer <- r.leaders.leading })
	select {
	case name := <-answer:
		return name
	case <-ctx.Done():
		return ""
	}
}

// byPeer is the machine of a peer URL, nil if there is none.
func (r *run) byPeer(url string) *lab.Machine {
	for i := range r.site.Machines {
		if m := &r.site.Machines[i]; m.PeerURL() == url {
			return m
		}
	}
	return nil
}

// seated is a machine's place among the members, nil if it has none.
func seated(list []labcontrol.Seat, m *lab.Machine) *labcontrol.Seat {
	for i := range list {
		if list[i].Peer == m.PeerURL() {
			return &list[i]
		}
	}
	return nil
}

// change asks a member's API for a change of members. What comes of it is seen by what
// the members are.
func (r *run) change(ctx context.Context, method string, through *lab.Machine, below string, body any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return inject.Call(ctx, r.http, through, method, "/v2/members"+below, body, nil)
}

// mayHarm says whether a member's disk may be spoiled for good: the others must be a
// majority by themselves, and whole.
func (r *run) mayHarm(name string, destroy bool) error {
	if destroy {
		return nil
	}
	others, living := 0, 0
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		s := r.seats[m.Name]
		if s == nil || s.outside.Load() {
			continue
		}
		if s.lost || s.replacing || s.joining || s.leaving {
			return fmt.Errorf("%w: %s is being seen to", chaos.ErrNotYet, m.Name)
		}
		if m.Name == name {
			continue
		}
		others++
		if v := r.ground.Vitals(m.Name); v.NodeUp && !v.NodePaused && v.Power == lab.PowerOn {
			living++
		}
	}
	return inject.MayHarm(others, living)
}

// wipe ends machines and empties their disks. Whoever brings them back makes new
// members of them.
func (r *run) wipe(nodes []string, destroy bool) (detail string, err error) {
	var hit []string
	for _, name := range nodes {
		if refused := r.mayHarm(name, destroy); refused != nil {
			err = refused
			continue
		}
		if err := r.ground.Cut(name); err != nil {
			return "", err
		}
		if err := r.retire(r.site.Machine(name)); err != nil {
			return "", err
		}
		r.seats[name].lost = true
		hit = append(hit, name)
	}
	switch {
	case len(hit) == 0:
		return "", err
	case len(hit) < len(nodes):
		return "only " + strings.Join(hit, ", "), nil
	}
	return "", nil
}

// retire reads what a member's disk holds, and empties it.
func (r *run) retire(m *lab.Machine) error {
	if err := r.logs.Read(r.memberNumber(m)); err != nil {
		return err
	}
	r.logs.Retire(r.memberNumber(m))
	return os.RemoveAll(r.dataDir(m))
}

// memberNumber is a member's place among the machines that are members.
func (r *run) memberNumber(m *lab.Machine) int {
	n := 0
	for i := range r.site.Machines {
		if &r.site.Machines[i] == m {
			break
		}
		if r.site.Machines[i].Role == lab.RoleMember {
			n++
		}
	}
	return n
}

// replaceLost sees to those of the nodes whose disks are lost, and returns the others.
func (r *run) replaceLost(nodes []string) (rest []string) {
	for _, name := range nodes {
		s := r.seats[name]
		switch {
		case s == nil || !s.lost:
			rest = append(rest, name)
		case !s.replacing:
			r.replace(r.site.Machine(name))
		}
	}
	return rest
}
