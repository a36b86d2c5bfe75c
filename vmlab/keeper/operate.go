package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// errChanging is matched when machines of the lab are being changed already.
var errChanging = errors.New("drydock lab apply, or another such fault, is at work on the lab's machines")

// operate brings about a fault of who the members are, or of what their disks hold.
func (k *Keeper) operate(ctx context.Context, f chaos.Fault) (detail string, err error) {
	if _, can := k.ground.(lab.Changer); !can {
		return "", &lab.MissingError{What: string(f.Kind), Driver: k.driver.Name(), Why: "its labs keep the machines of their up"}
	}
	if !k.changing.TryLock() {
		return "", errChanging
	}
	defer k.changing.Unlock()
	switch p := f.Params.(type) {
	case *chaos.Wipe:
		_, detail, err = k.wipe(ctx, f.Nodes, p.Destroy)
	case *chaos.Replace:
		return k.replace(ctx, f.Nodes, p.Destroy)
	case *chaos.Membership:
		return k.membership(ctx, p)
	default:
		err = errors.ErrUnsupported
	}
	return detail, err
}

// wipe ends machines and empties their disks; those it was done to come back as new
// members.
func (k *Keeper) wipe(ctx context.Context, nodes []string, destroy bool) (hit []*lab.Machine, detail string, err error) {
	var names []string
	for _, node := range nodes {
		site := k.site()
		m := site.Machine(node)
		if m == nil {
			continue
		}
		if refused := k.mayHarm(ctx, m, destroy); refused != nil {
			err = fmt.Errorf("%s: %w (destroy=true does it all the same)", m.Name, refused)
			continue
		}
		seat := lab.SeatLost
		if m.Role == lab.RoleWorker {
			seat = "" // a worker has nothing that the cluster knows it by but its id
		}
		if err := k.empty(m, seat); err != nil {
			return nil, "", err
		}
		hit, names = append(hit, m), append(names, m.Name)
	}
	switch {
	case len(hit) == 0:
		return nil, "", err
	case len(hit) < len(nodes):
		return hit, "only " + strings.Join(names, ", "), nil
	}
	return hit, "", nil
}

// empty cuts a machine's power, and empties its disk.
func (k *Keeper) empty(m *lab.Machine, seat lab.Seat) error {
	k.seating.Lock()
	defer k.seating.Unlock()
	// It is on record before anything is done: who switches it on meanwhile waits, and
	// half a disk would be no member either.
	if err := k.reseat(m.Name, func(m *lab.Machine) { m.Seat = seat }); err != nil {
		return err
	}
	if err := k.ground.Cut(m.Name); err != nil {
		was := m.Seat
		return errors.Join(err, k.reseat(m.Name, func(m *lab.Machine) { m.Seat = was }))
	}
	k.setReady(m.Name, false)
	site := k.site()
	return lab.RemoveTree(inject.DataDir(&site, m))
}

// mayHarm says whether a machine's disk may be spoiled: a member's alone where the others
// are whole, and enough.
func (k *Keeper) mayHarm(ctx context.Context, m *lab.Machine, destroy bool) error {
	if destroy || m.Role == lab.RoleWorker {
		return nil
	}
	others, living := 0, 0
	for _, o := range k.site().Machines {
		if o.Role == lab.RoleWorker || o.Name == m.Name || o.Seat == lab.SeatOutside {
			continue
		}
		if o.Seat == lab.SeatLost {
			return fmt.Errorf("%w: the disk of %s is lost", chaos.ErrNotYet, o.Name)
		}
		others++
		if v := k.ground.Vitals(o.Name); !v.NodeUp || v.NodePaused || v.Power != lab.PowerOn {
			continue
		}
		if votes, err := k.votes(ctx, &o); err == nil && !votes {
			return fmt.Errorf("%w: %s has no vote yet", chaos.ErrNotYet, o.Name)
		} else if err == nil {
			living++
		}
	}
	return inject.MayHarm(others, living)
}

// replace wipes machines and has them come back at once.
func (k *Keeper) replace(ctx context.Context, nodes []string, destroy bool) (detail string, err error) {
	hit, detail, err := k.wipe(ctx, nodes, destroy)
	if err != nil {
		return "", err
	}
	for _, m := range hit {
		if err := k.comeBack(ctx, m); err != nil {
			return "", err
		}
	}
	as := "back as a new member"
	if len(hit) > 1 {
		as = "back as new members"
	}
	return strings.TrimPrefix(detail+", "+as, ", "), nil
}

// comeBack boots a machine and waits until it is ready and, as a member, has a vote.
func (k *Keeper) comeBack(ctx context.Context, m *lab.Machine) error {
	ctx, cancel := context.WithTimeout(ctx, k.readyWithin(k.site().Spec))
	defer cancel()
	if err := k.bring(ctx, m, k.teller(func(Event) {})); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	if m.Role == lab.RoleWorker {
		return nil
	}
	return k.untilVotes(ctx, m)
}

// leaveGrace is how long a removed member may still run, to hear of it.
const leaveGrace = 500 * time.Millisecond

// membership has machines join the cluster, and others leave it. Those that leave are
// off from then on, their disks empty.
func (k *Keeper) membership(ctx context.Context, p *chaos.Membership) (detail string, err error) {
	site := k.site()
	for _, node := range slices.Concat(p.Add, p.Remove) {
		m := site.Machine(node)
		switch outside := slices.Contains(p.Add, node); {
		case m == nil:
			return "", fmt.Errorf("%s: %w (a new machine joins by the lab file: drydock lab apply)", node, lab.ErrNoMachine)
		case m.Role == lab.RoleWorker:
			return "", fmt.Errorf("%w: %s is a worker, which is no member", chaos.ErrNoEffect, m.Name)
		case outside && m.Seat != lab.SeatOutside:
			return "", fmt.Errorf("%w: %s is a member (a new machine joins by the lab file: drydock lab apply)", chaos.ErrNoEffect, m.Name)
		case !outside && m.Seat == lab.SeatOutside:
			return "", fmt.Errorf("%w: %s is no member", chaos.ErrNoEffect, m.Name)
		}
	}
	for _, node := range p.Add {
		if err := k.comeBack(ctx, site.Machine(node)); err != nil {
			return "", err
		}
	}
	for _, node := range p.Remove {
		m := site.Machine(node)
		if err := k.removeMember(ctx, m); err != nil {
			return "", fmt.Errorf("%s: %w", m.Name, err)
		}
		select {
		case <-time.After(leaveGrace):
		case <-ctx.Done(): // it is no member, whoever waits for it
		}
		if err := k.empty(m, lab.SeatOutside); err != nil {
			return "", err
		}
	}
	return "", nil
}

// boot switches a machine on that is off. One that is no member as it was becomes a new
// one: its old member leaves the cluster first.
func (k *Keeper) boot(ctx context.Context, m *lab.Machine) error {
	site := k.site()
	if now := site.Machine(m.Name); now == nil || now.Seat == "" {
		return k.ground.Boot(ctx, m)
	}
	k.seating.Lock()
	defer k.seating.Unlock()
	site = k.site()
	now := site.Machine(m.Name)
	if now == nil || now.Seat == "" {
		return k.ground.Boot(ctx, m) // somebody else was about it
	}
	if err := k.removeMember(ctx, now); err != nil {
		return err
	}
	if err := k.addMember(ctx, now); err != nil {
		return err
	}
	err := k.reseat(m.Name, func(m *lab.Machine) { m.Seat, m.Joins = "", true })
	if err != nil {
		return err
	}
	site = k.site()
	now = site.Machine(m.Name)
	if err := k.ground.(lab.Changer).Admit(ctx, site, now); err != nil {
		return err
	}
	return k.ground.Boot(ctx, now)
}

// reseat changes what is on record of a machine.
func (k *Keeper) reseat(name string, change func(m *lab.Machine)) error {
	k.mu.Lock()
	list := slices.Clone(k.state.Machines)
	for i := range list {
		if list[i].Name == name {
			change(&list[i])
		}
	}
	spec := k.state.Spec
	k.mu.Unlock()
	k.settle(spec, list)
	return k.save()
}
