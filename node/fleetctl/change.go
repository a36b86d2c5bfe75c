package fleetctl

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/fleetclient"
	"drydock/node/unit"
)

// window is the time that one of --block-attempts lasts.
const window = 2 * time.Second

// changing are the flags of commands that change units.
type changing struct {
	noBlock, replace, sign bool
	attempts               int
}

// limit is how long a command waits; 0 is for ever.
func (o *changing) limit() time.Duration { return time.Duration(max(0, o.attempts)) * window }

func (o *changing) register(c *cobra.Command, replace bool) *cobra.Command {
	c.Flags().BoolVar(&o.noBlock, "no-block", false, "don't wait until it is done")
	c.Flags().IntVar(&o.attempts, "block-attempts", 0, "give up after N times 2 s; 0 waits for as long as it takes")
	if replace {
		c.Flags().BoolVar(&o.replace, "replace", false, "replace units whose files differ")
		c.Flags().BoolVar(&o.sign, "sign", false, "")
		c.Flags().Lookup("sign").Hidden = true
	}
	return c
}

// changeCommands are those that say what should be.
func (s *session) changeCommands() []*cobra.Command {
	const about = `Units are named, or their files are: a name is the last part of a path, with .service
added if it has no suffix. A unit that the cluster doesn't know yet is made from its
file, or, as web@1.service is, from its template's. Patterns such as 'apache.*' match
files here and units of the cluster.`
	const there = "\n\nUnits are named, or matched by patterns such as 'apache.*'."
	return []*cobra.Command{
		s.changing("submit UNIT...", "Make units known to the cluster", "Make units known to the cluster, without running them.\n\n"+about,
			"  fleetctl submit hello.service\n  fleetctl submit 'apache.*'", true, s.submit),
		s.changing("load UNIT...", "Place units on machines, without starting them",
			"Have the cluster choose machines for units, which load but don't start them.\n\n"+about,
			"  fleetctl load hello.service", true,
			func(o *changing, args []string) int { return s.raise(o, args, "load", fleetclient.Loaded) }),
		s.changing("start UNIT...", "Have units run", "Have the cluster run units, and wait until it does.\n\n"+about,
			"  fleetctl start hello.service\n  fleetctl start web@{1..3}\n  fleetctl start --block-attempts 5 batch.service", true,
			func(o *changing, args []string) int { return s.raise(o, args, "start", fleetclient.Launched) }),
		s.changing("stop UNIT...", "Stop units; they stay loaded", "Stop units where they run. They stay on their machines, stopped."+there,
			"  fleetctl stop hello.service\n  fleetctl stop 'apache.*'", false, s.stop),
		s.changing("unload UNIT...", "Stop units and take them off their machines",
			"Stop units and take them off their machines. The cluster still knows them."+there,
			"  fleetctl unload hello.service", false, s.unload),
		s.changing("destroy UNIT...", "Stop units and forget them",
			"Stop units and remove them from the cluster, and wait until no machine runs them."+there,
			"  fleetctl destroy hello.service\n  fleetctl destroy 'apache.*'", false, s.destroy),
		s.changing("restart UNIT...", "Stop units that run and start them again", "Stop units that run and start them again, one after the other."+there,
			"  fleetctl restart hello.service", false, s.restart),
	}
}

// changing makes a command that changes units.
func (s *session) changing(use, short, long, example string, replace bool, run func(o *changing, args []string) int) *cobra.Command {
	o := &changing{}
	c := s.online(use, short, long, example, func(args []string) int {
		switch {
		case len(args) == 0:
			s.errf("No units given")
			return exitOK
		case o.sign:
			return s.signed()
		case o.attempts < 0:
			s.errf("--block-attempts: %d is less than 0", o.attempts)
			return exitUsage
		}
		return run(o, args)
	})
	return s.completing(o.register(c, replace), replace, s.clusterNames)
}

// signed refuses what fleet gave up in 2014.
func (s *session) signed() int {
	s.errf("WARNING: The signed/verified units feature is DEPRECATED and cannot be used.")
	return exitUsage
}

func (s *session) submit(o *changing, args []string) int {
	list, ok := s.targets(args, ofFiles|templates)
	if len(list) == 0 {
		return code(ok)
	}
	return code(s.ensure(list, "submit", o.replace).ok && ok)
}

func code(ok bool) int {
	if ok {
		return exitOK
	}
	return exitFailed
}

// raise loads or starts units, which it makes first if need be.
func (s *session) raise(o *changing, args []string, verb, state string) int {
	list, ok := s.targets(args, ofFiles|ofCluster)
	if len(list) == 0 {
		return code(ok)
	}
	made := s.ensure(list, verb, o.replace)
	var changed, coming []string
	for _, name := range made.names {
		switch u := made.there[name]; {
		case u == nil || u.DesiredState != state:
			changed = append(changed, name)
		case !isGlobal(u) && u.CurrentState != state:
			coming = append(coming, name)
		}
	}
	doing := map[string]string{"load": "loading", "start": "starting"}[verb]
	accepted, set := s.setDesired(changed, state, doing)
	ok = ok && made.ok && set
	waitFor := s.announceGlobals(accepted, made.there, verb)
	if o.noBlock {
		s.triggered(waitFor, verb)
		return code(ok)
	}
	waitFor, coming = s.instances(waitFor, made.there, made.replaced), s.instances(coming, made.there, made.replaced)
	waitFor = append(waitFor, s.notYet(coming, state, made.replaced)...)
	reached := s.awaitText(o.limit(), waitFor, state, made.replaced)
	if state == fleetclient.Launched && s.words.active {
		reached = s.awaitActive(o.limit(), reached)
	}
	return code(ok && len(reached) == len(waitFor))
}

// instances puts in the place of a template that keeps some (Replicas) those. They have
// its text, so that they have a new one, too, if it was replaced.
func (s *session) instances(names []string, there map[string]*fleetclient.Unit, replaced map[string]string) (all []string) {
	for _, name := range names {
		n, err := unit.ParseName(name)
		f, err2 := there[name].File()
		if err != nil || err2 != nil || !n.IsTemplate() || f.Fleet().Replicas == 0 {
			all = append(all, name)
			continue
		}
		for i := range f.Fleet().Replicas {
			if instance, err := n.With(strconv.Itoa(i + 1)); err == nil {
				all = append(all, instance.String())
				if replaced[name] != "" {
					replaced[instance.String()] = replaced[name]
				}
			}
		}
	}
	return all
}

// notYet returns those units that aren't in a state, or have another text to take.
func (s *session) notYet(names []string, state string, replaced map[string]string) []string {
	if len(names) == 0 {
		return nil
	}
	there, _, err := s.look(names, fleetclient.Reading{})
	return slices.DeleteFunc(names, func(name string) bool {
		return err == nil && there[name] != nil && there[name].CurrentState == state && replaced[name] == ""
	})
}

// setDesired changes what is desired of units and returns those for which it was
// accepted, in order.
func (s *session) setDesired(names []string, state, doing string) (accepted []string, ok bool) {
	errs := make([]error, len(names))
	s.each(len(names), func(i int) { errs[i] = s.client.SetDesired(s.ctx, names[i], state) })
	ok = true
	for i, err := range errs {
		if err != nil {
			s.errf("Error %s units: %v", doing, err)
			s.failure = err.Error()
			ok = false
			continue
		}
		accepted = append(accepted, names[i])
	}
	return accepted, ok
}

// announceGlobals says which global units were told something, as nobody waits for
// those, and returns the others.
func (s *session) announceGlobals(names []string, there map[string]*fleetclient.Unit, verb string) (others []string) {
	for _, name := range names {
		if u := there[name]; u == nil || !isGlobal(u) {
			others = append(others, name)
		} else if !s.words.silent {
			s.outf("Triggered global unit %s %s", name, verb)
		}
	}
	return others
}

func (s *session) triggered(names []string, verb string) {
	what := "unit"
	if s.words.unit == "Job" {
		what = "job"
	}
	for _, name := range names {
		s.outf("Triggered %s %s %s", what, name, verb)
	}
}

// existing returns the named units that are there, and says which aren't.
func (s *session) existing(args []string, from source) (names []string, there map[string]*fleetclient.Unit, ok bool) {
	list, ok := s.targets(args, from)
	if len(list) == 0 {
		return nil, nil, ok
	}
	all := make([]string, len(list))
	for i, t := range list {
		all[i] = t.name
	}
	there, _, err := s.look(all, fleetclient.Reading{})
	if err != nil {
		s.errf("Error retrieving units: %v", err)
		return nil, nil, false
	}
	if len(there) == 0 && from&byName == 0 {
		s.errf("Units not found in registry")
		return nil, nil, false
	}
	for _, name := range all {
		if there[name] == nil {
			s.errf("%s %s does not exist.", s.words.unit, name)
			ok = false
			continue
		}
		names = append(names, name)
	}
	return names, there, ok
}

func (s *session) stop(o *changing, args []string) int {
	if s.words.silent {
		return s.unload(o, args)
	}
	names, there, ok := s.existing(args, ofCluster)
	var changed []string
	for _, name := range names {
		u := there[name]
		switch {
		case isGlobal(u) || u.DesiredState == fleetclient.Launched:
			changed = append(changed, name)
		case u.DesiredState == fleetclient.Inactive:
			s.errf("Unable to stop unit %s in state %s", name, fleetclient.Inactive)
			ok = false
		case u.CurrentState == fleetclient.Launched:
			// It is on its way, and only waited for.
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 && !ok {
		return exitFailed
	}
	return code(s.lower(o, changed, there, "stop", fleetclient.Loaded) && ok)
}

func (s *session) unload(o *changing, args []string) int {
	names, there, ok := s.existing(args, ofCluster)
	var changed []string
	for _, name := range names {
		u := there[name]
		if isGlobal(u) || u.DesiredState != fleetclient.Inactive || u.CurrentState != fleetclient.Inactive {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 && !ok {
		return exitFailed
	}
	return code(s.lower(o, changed, there, "unload", fleetclient.Inactive) && ok)
}

// lower stops or unloads units.
func (s *session) lower(o *changing, names []string, there map[string]*fleetclient.Unit, verb, state string) bool {
	past := map[string]string{"stop": "stopped", "unload": "unloaded"}[verb]
	doing := map[string]string{"stop": "stopping", "unload": "unloading"}[verb]
	accepted, ok := s.setDesired(names, state, doing)
	waitFor := s.announceGlobals(accepted, there, verb)
	switch {
	case o.noBlock:
		s.triggered(waitFor, verb)
	default:
		waitFor = s.instances(waitFor, there, nil)
		var reached []string
		if state == fleetclient.Loaded {
			reached = s.awaitStopped(o.limit(), waitFor)
		} else {
			reached = s.awaitState(o.limit(), waitFor, state)
		}
		ok = ok && len(reached) == len(waitFor)
	}
	switch {
	case !s.words.stopped || s.ctx.Err() != nil:
	case ok:
		s.errf("Successfully %s units %v.", past, waitFor)
	default:
		s.errf("Failed to %s units %v. err: %s", verb, waitFor, s.failure)
	}
	return ok
}

func (s *session) destroy(o *changing, args []string) int {
	list, ok := s.targets(args, ofCluster|templates)
	names := make([]string, len(list))
	errs := make([]error, len(list))
	s.each(len(list), func(i int) {
		names[i] = list[i].name
		errs[i] = s.client.Destroy(s.ctx, names[i])
	})
	var gone []string
	for i, err := range errs {
		switch {
		case err == nil:
			gone = append(gone, names[i])
		case !fleetclient.IsNotFound(err):
			s.errf("Error destroying units: %v", err)
			ok = false
		}
	}
	if len(gone) == 0 && ok {
		s.errf("Units not found in registry")
		return exitOK
	}
	if !o.noBlock {
		all := len(gone)
		reached := s.awaitGone(o.limit(), gone)
		gone = slices.DeleteFunc(gone, func(name string) bool { return !slices.Contains(reached, name) })
		ok = ok && len(gone) == all
	}
	for _, name := range gone {
		if s.words.unit == "Job" {
			name = "Job " + name
		}
		s.outf("Destroyed %s", name)
	}
	return code(ok)
}

func (s *session) restart(o *changing, args []string) int {
	names, there, ok := s.existing(args, ofCluster)
	for _, name := range names {
		u := there[name]
		if s.ctx.Err() != nil {
			return exitFailed
		}
		var err error
		switch {
		case u.DesiredState == fleetclient.Inactive || !isGlobal(u) && u.CurrentState == fleetclient.Inactive:
			s.errf("Unable to restart unit %s in state %s", name, fleetclient.Inactive)
			ok = false
			continue
		case u.DesiredState == fleetclient.Loaded:
			ok = s.stopAndStart(o, u, fleetclient.Launched) && ok
		case s.client.Extended() && (isGlobal(u) || o.noBlock):
			err = s.client.Restart(s.ctx, name)
			if err == nil && isGlobal(u) {
				s.announceGlobals([]string{name}, there, "restart")
			} else if err == nil {
				s.triggered([]string{name}, "restart")
			}
		default:
			ok = s.stopAndStart(o, u, fleetclient.Loaded, fleetclient.Launched) && ok
		}
		if err != nil {
			s.errf("Error restarting units: %v", err)
			ok = false
		}
	}
	return code(ok)
}

// stopAndStart restarts a unit by way of its desired states, as fleet does: loaded, unless
// it is, and launched. Whatever becomes of the stop, the unit is to run in the end.
func (s *session) stopAndStart(o *changing, u *fleetclient.Unit, states ...string) bool {
	there := map[string]*fleetclient.Unit{u.Name: u}
	ok := true
	for _, state := range states {
		verb := map[string]string{fleetclient.Loaded: "stop", fleetclient.Launched: "start"}[state]
		if err := s.client.SetDesired(context.WithoutCancel(s.ctx), u.Name, state); err != nil {
			s.errf("Error restarting units: %s %s: %v", verb, u.Name, err)
			return false
		}
		waitFor := s.announceGlobals([]string{u.Name}, there, verb)
		if o.noBlock {
			s.triggered(waitFor, verb)
		} else if s.ctx.Err() == nil {
			ok = len(s.awaitState(o.limit(), waitFor, state)) == len(waitFor) && ok
		}
	}
	if o.noBlock || isGlobal(u) || !s.words.active || !ok {
		return ok
	}
	return len(s.awaitActive(o.limit(), []string{u.Name})) == 1
}

// each calls do for 0 to n-1. A few are done one after the other, so that who was named
// first is placed first; many at a time otherwise: a cluster commits what comes
// together at once.
func (s *session) each(n int, do func(i int)) {
	const few, together = 32, 16
	if n <= few {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, together) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
