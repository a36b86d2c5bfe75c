package inject

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/wire/fabric"
)

// Injector injects faults into one lab. Faults name nodes as scenarios do, n1 and
// w1. Its methods may be called by several goroutines.
type Injector struct {
	Site   *lab.Site
	Driver lab.Driver
	Ground lab.Ground
	// HTTP asks the lab's nodes, for the faults that are calls of the cluster: its
	// transport dials by the ground.
	HTTP *http.Client
	// Boot switches a machine on that was off; nil leaves it to the ground.
	Boot func(ctx context.Context, m *lab.Machine) error

	traps sync.Map // what is told of a trap's strike, by its id
}

// Undo takes a fault back.
type Undo func() error

// Supports returns nil, or why labs of a driver can't inject faults of a kind.
func Supports(d lab.Driver, kernelLinks bool, k chaos.Kind) error {
	missing := &lab.MissingError{What: string(k), Driver: d.Name()}
	switch k {
	case chaos.KindCrash, chaos.KindRestart, chaos.KindPowerLoss, chaos.KindPause, chaos.KindSlowNode, chaos.KindHeal:
		return nil
	}
	if fabric.Supports(k) == nil {
		if !kernelLinks || k == chaos.KindPartition || k == chaos.KindLoss {
			return nil
		}
		missing.Why = "its machines are connected by the kernel, which can cut and lose alone; `network: {path: wire}` in the lab file has every fault"
		return missing
	}
	switch k {
	case chaos.KindClockJump, chaos.KindClockRate:
		missing.Needs = lab.HasClock
		if k == chaos.KindClockRate && ownClocks(d) {
			missing.Needs = lab.HasControl // a kernel's clock runs as it runs
		}
	case chaos.KindSlowDisk, chaos.KindDiskStall, chaos.KindDiskFull, chaos.KindDiskError:
		missing.Needs = lab.HasDiskFaults
	default:
		if missing.Why = elsewhere(d, k); missing.Why == "" {
			return nil
		}
	}
	if missing.Needs != "" && d.Capabilities().Has(missing.Needs) {
		return nil
	}
	return missing
}

// elsewhere says why labs of a driver don't have what is about the cluster, and what does;
// "" if they have it.
func elsewhere(d lab.Driver, k chaos.Kind) string {
	switch {
	case k == chaos.KindDrain, k == chaos.KindMetadata, k == chaos.KindUnitCrash:
	case k == chaos.KindTransfer:
		if !lab.IsControlled(d) {
			return "a node hands over by its lab's control, which netns has with `control: true` in the lab file"
		}
	case Operated(k):
		if d.Capabilities().Has(lab.HasSystemd) {
			return "the disks of its machines can't be emptied from outside: netns has it, and the simulator (drydock run)"
		}
	case k == chaos.KindUnits:
		return "by hand it is `drydock lab exec NAME -- fleetctl start|stop|destroy UNIT`; in scenarios, drydock run --world lab has it"
	case k == chaos.KindUnitHang, k == chaos.KindUnitFail:
		return "units of a scenario's load alone obey it: drydock run --world lab has it (netns, nspawn)"
	default:
		return "it is the simulator's alone: drydock run"
	}
	return ""
}

// Supports returns nil, or why this lab can't inject faults of a kind.
func (i *Injector) Supports(k chaos.Kind) error {
	return Supports(i.Driver, i.Ground.Wire() == nil, k)
}

// Inject does what a fault says. Undo is nil where there is nothing to undo.
func (i *Injector) Inject(f chaos.Fault) (undo Undo, detail string, err error) {
	if err := i.Supports(f.Kind); err != nil {
		return nil, "", err
	}
	if fabric.Supports(f.Kind) == nil {
		return i.impair(f)
	}
	switch p := f.Params.(type) {
	case *chaos.Crash:
		return i.crash(f.Nodes, lab.Loss{Unsynced: p.LoseUnsynced, Torn: p.Torn})
	case *chaos.PowerLoss:
		return i.crash(f.Nodes, lab.Loss{Unsynced: p.LoseUnsynced, Torn: p.Torn})
	case *chaos.Restart:
		return i.restart(f.Nodes)
	case *chaos.Pause:
		return i.pause(f.Nodes)
	case *chaos.SlowNode:
		return i.slow(f.Nodes, p.Latency)
	case *chaos.ClockRate, *chaos.ClockJump:
		return i.clock(f)
	case *chaos.SlowDisk, *chaos.DiskStall, *chaos.DiskFull, *chaos.DiskError:
		return i.disk(f)
	case *chaos.Transfer:
		return i.transfer(f.Nodes)
	case *chaos.Drain:
		return i.drain(f.Nodes)
	case *chaos.UnitCrash:
		detail, err := i.crashUnits(f.Nodes, p)
		return nil, detail, err
	case *chaos.Metadata:
		return i.metadata(f.Nodes, p.Set)
	}
	return nil, "", fmt.Errorf("%s: %w", f.Kind, errors.ErrUnsupported)
}

// errNobody is what a fault on nobody gives.
var errNobody = errors.New("none of its machines is in the lab")

// each does something to each machine, all at once, and gathers what undoes it. A
// machine to which it can't be done is left out, unless that is so of all.
func (i *Injector) each(nodes []string, do func(m *lab.Machine) (Undo, error)) (Undo, error) {
	type done struct {
		undo Undo
		err  error
	}
	results := make(chan done)
	count := 0
	for _, node := range nodes {
		m := i.Site.Machine(node)
		if m == nil {
			continue
		}
		count++
		go func() {
			undo, err := do(m)
			results <- done{undo, err}
		}()
	}
	var undo []Undo
	var errs []error
	for range count {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
		} else if r.undo != nil {
			undo = append(undo, r.undo)
		}
	}
	switch {
	case count == 0:
		return nil, errNobody
	case len(errs) == count:
		return nil, errors.Join(errs...)
	case len(undo) == 0:
		return nil, nil
	}
	return func() error {
		var errs []error
		for _, fn := range undo {
			errs = append(errs, fn())
		}
		return errors.Join(errs...)
	}, nil
}

// crash ends machines. A node that is killed while its machine lives loses nothing.
func (i *Injector) crash(nodes []string, loss lab.Loss) (Undo, string, error) {
	var count tally
	_, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		v := i.Ground.Vitals(m.Name)
		switch {
		case v.Power == lab.PowerOff, !loss.Unsynced && !v.NodeUp:
			return nil, fmt.Errorf("%s: %w: already down", m.Name, chaos.ErrNoEffect)
		}
		own := loss
		own.Seed = rand.Uint64()
		count.add(i.end(m, own))
		if loss.Unsynced {
			return nil, i.Ground.Cut(m.Name)
		}
		return nil, i.Ground.KillNode(m.Name)
	})
	return nil, count.String(), err
}

// restart starts what is down: machines, and nodes of machines that run.
func (i *Injector) restart(nodes []string) (Undo, string, error) {
	_, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		switch v := i.Ground.Vitals(m.Name); {
		case v.Power == lab.PowerOff:
			err := i.boot(m)
			if errors.Is(err, power.ErrOn) { // somebody else was about it
				err = fmt.Errorf("%s: %w: not down", m.Name, chaos.ErrNoEffect)
			}
			return nil, err
		case v.Power == lab.PowerOn && !v.NodeUp:
			return nil, i.Ground.StartNode(m.Name)
		}
		return nil, fmt.Errorf("%s: %w: not down", m.Name, chaos.ErrNoEffect)
	})
	return nil, "", err
}

// boot switches a machine on, as whoever keeps it does.
func (i *Injector) boot(m *lab.Machine) error {
	if i.Boot != nil {
		return i.Boot(bootContext(), m)
	}
	return i.Ground.Boot(bootContext(), m)
}

// pause stops nodes where they are; their machines and units go on.
func (i *Injector) pause(nodes []string) (Undo, string, error) {
	undo, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		v := i.Ground.Vitals(m.Name)
		if v.Power != lab.PowerOn || !v.NodeUp || v.NodePaused {
			return nil, fmt.Errorf("%s: %w: not running", m.Name, chaos.ErrNoEffect)
		}
		if err := i.Ground.PauseNode(m.Name); err != nil {
			return nil, err
		}
		return func() error {
			if !i.Ground.Vitals(m.Name).NodePaused {
				return nil // it has died since
			}
			return i.Ground.ResumeNode(m.Name)
		}, nil
	})
	return undo, "", err
}

// slowRuns is for how long a slow node runs between two stops.
const slowRuns = 5 * time.Millisecond

// slow stops nodes for a time and lets them run for a moment, in turns: what comes to
// one waits for so long.
func (i *Injector) slow(nodes []string, latency time.Duration) (Undo, string, error) {
	undo, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		if v := i.Ground.Vitals(m.Name); v.Power != lab.PowerOn || !v.NodeUp || v.NodePaused {
			return nil, fmt.Errorf("%s: %w: not running", m.Name, chaos.ErrNoEffect)
		}
		over, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for i.Ground.PauseNode(m.Name) == nil {
				last := waited(over, latency)
				// A node that has died meanwhile needs nothing.
				if i.Ground.ResumeNode(m.Name) != nil || last || waited(over, slowRuns) {
					return
				}
			}
		}()
		return func() error {
			close(over)
			<-ended
			if v := i.Ground.Vitals(m.Name); v.Power == lab.PowerOn && v.NodePaused {
				return i.Ground.ResumeNode(m.Name) // it could not be when its turn was
			}
			return nil
		}, nil
	})
	return undo, "", err
}

// waited waits, and says whether it was cut short.
func waited(over <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-t.C:
		return false
	}
}

// Names writes nodes' names in a text as their machines'.
func (i *Injector) Names(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z') })
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, word := range slices.Compact(words) {
		if m := i.Site.Machine(word); m != nil && m.Node == word && m.Name != word {
			text = replaceWord(text, word, m.Name)
		}
	}
	return text
}

// replaceWord replaces a word wherever it stands alone.
func replaceWord(text, word, by string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, word)
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := at + len(word)
		alone := (at == 0 || !letter(text[at-1])) && (end == len(text) || !letter(text[end]))
		b.WriteString(text[:at])
		if alone {
			b.WriteString(by)
		} else {
			b.WriteString(word)
		}
		text = text[end:]
	}
}

func letter(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' }
