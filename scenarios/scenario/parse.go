package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"drydock/chaos"
	"drydock/node/ui"
)

// MaxFileBytes is the largest scenario file that is read.
const MaxFileBytes = 1 << 20

// scenarioFile is what errors call a scenario file.
const scenarioFile = "scenario file"

// Errors is everything that is wrong with one file.
type Errors struct {
	Text     []byte
	Problems []ui.Problem
}

// Error shows every problem with its excerpt.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("\n")
		}
		if i == maxProblems {
			fmt.Fprintf(&b, "… and %d more\n", len(e.Problems)-i)
			break
		}
		b.WriteString(p.Excerpt(e.Text))
	}
	return strings.TrimRight(b.String(), "\n")
}

// Parse reads a scenario; file is its name in errors. The error is an *Errors.
func Parse(file string, text []byte) (*Scenario, error) {
	s := &Scenario{File: file, Text: text}
	doc := Read(file, scenarioFile, text, s)
	if doc.root {
		doc.d.complete(s)
		doc.d.relations(s)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// syntax turns the YAML reader's error into a problem.
func (d *decoder) syntax(err error) {
	p := ui.Problem{File: d.file, What: err.Error()}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		p.Line, p.Column = load.Mark.Line, load.Mark.Column
		p.What = strings.TrimPrefix(load.Message, "yaml: ")
		switch {
		case strings.Contains(p.What, "no documents"):
			p.What = "the file is empty"
			if d.what == scenarioFile {
				p.Hint = "`drydock scenario new NAME` writes a starter file"
			}
		case strings.Contains(p.What, "mapping values are not allowed"):
			p.Hint = "is the line indented as the one above it?"
		case strings.Contains(p.What, "cannot start any token"):
			p.Hint = "YAML is indented by spaces, not by tabs"
		}
	}
	d.problems = append(d.problems, p)
}

// complete applies the defaults that depend on other keys.
func (d *decoder) complete(s *Scenario) {
	if d.at["load.kv.mix"] == nil {
		s.Load.KV.Mix = DefaultMix()
	}
	if s.Load.KV.Rate > 0 && d.at["load.kv.think"] == nil {
		s.Load.KV.Think = 0
	}
	if len(s.Load.Watch.Start) == 0 {
		s.Load.Watch.Start = []string{"now", "past", "future"}
	}
	if len(s.Load.Watch.Mode) == 0 {
		s.Load.Watch.Mode = []string{"long-poll", "stream"}
	}
	if s.HealAt == 0 {
		if d.at["settle"] == nil && s.Settle >= s.Duration {
			s.Settle = s.Duration / 3
		}
		s.HealAt = s.Duration - s.Settle
	} else if d.at["settle"] == nil {
		s.Settle = s.Duration - s.HealAt
	}
	if len(s.Expect) == 0 {
		s.Expect = defaultExpectations(s)
	}
	s.Expect = expand(s)
}

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// IsName tells whether a scenario may have that name.
func IsName(name string) bool { return nameForm.MatchString(name) }

// knownWorlds are the worlds that runs_on may name.
var knownWorlds = []string{"sim", "lab"}

// relations checks what no key shows alone.
func (d *decoder) relations(s *Scenario) {
	if at := d.at["scenario"]; at != nil && !nameForm.MatchString(s.Name) {
		d.fail(at, "small letters, digits and hyphens: `leader-crash`", "scenario: %q is not a name", s.Name)
	}
	for i, w := range s.RunsOn {
		if !slices.Contains(knownWorlds, w) {
			d.fail(d.at[fmt.Sprintf("runs_on[%d]", i)], meant(w, knownWorlds), "runs_on: unknown world %q", w)
		}
	}
	d.times(s)
	d.loads(s)
	d.nemesis(s)
	d.releases(s)
	d.fleet(s)
	kv := s.Load.KV
	if kv.Mix == (Mix{}) {
		d.fail(d.at["load.kv.mix"], "`mix: {get: 1}`", "mix: every weight is zero")
	}
	if d.at["load.kv.rate"] != nil && d.at["load.kv.think"] != nil {
		d.fail(d.at["load.kv.think"], "", "think: excludes `rate`, which is given, too")
	}
	if k := s.Cluster.Knobs; k.Election < 2*k.Heartbeat {
		at := cmp.Or(d.at["cluster.knobs.election"], d.at["cluster.knobs.heartbeat"])
		d.fail(at, "five times is usual", "election: %s is less than two heartbeats of %s", k.Election, k.Heartbeat)
	}
	if k := s.Cluster.Knobs; k.Tick < time.Millisecond || k.Tick > k.Heartbeat {
		at := cmp.Or(d.at["cluster.knobs.tick"], d.at["cluster.knobs.heartbeat"])
		d.fail(at, "", "tick: %s is outside of 1ms to a heartbeat of %s", k.Tick, k.Heartbeat)
	}
	d.nodes(s)
	d.stepNames(s)
}

// times checks that everything happens within the run.
func (d *decoder) times(s *Scenario) {
	if d.at["heal_at"] != nil && d.at["settle"] != nil {
		d.fail(d.at["settle"], "keep one of them", "settle: excludes `heal_at`, which is given, too")
	}
	if s.HealAt <= 0 || s.HealAt >= s.Duration {
		at := cmp.Or(d.at["heal_at"], d.at["settle"], d.at["duration"])
		d.fail(at, "`duration` is the whole run, the healed part included", "healing falls outside of the run of %s", shortTime(s.Duration))
	}
	for i, step := range s.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		at, when := d.at[path+".at"], step.At
		if step.Every != nil {
			at, when = d.at[path+".every"], max(step.Every.From, 0)
		}
		if at != nil && when >= s.HealAt && s.HealAt > 0 {
			d.fail(at, "move heal_at, or make duration longer", "step: strikes at %s, but all is healed at %s", shortTime(when), shortTime(s.HealAt))
		}
	}
	for _, e := range s.Expect {
		if e.Kind == ExpectLive && e.Within > s.Duration-s.HealAt && s.HealAt < s.Duration {
			d.fail(d.at[expectPath+e.Text], "make `settle` longer", "live-after-heal: the run ends %s after healing", shortTime(s.Duration-s.HealAt))
		}
	}
}

// nodes checks that every named node is in the cluster at some time.
func (d *decoder) nodes(s *Scenario) {
	known := s.Nodes()
	for _, one := range d.selected {
		if worker, bad := d.workers(s, one); worker || bad || !one.sel.IsName() || slices.Contains(known, string(one.sel)) {
			continue
		}
		hint := fmt.Sprintf("`members: %d` is the default", s.Cluster.Members)
		if at := d.at["cluster.members"]; at != nil {
			hint = fmt.Sprintf("`members: %d` is on line %d", s.Cluster.Members, at.Line)
		}
		d.fail(one.node, hint, "node: %q is not in this cluster (%s - %s)", one.sel, known[0], known[len(known)-1])
	}
	for i, step := range s.Steps {
		m, ok := step.Fault.(*chaos.Membership)
		if !ok {
			continue
		}
		for _, name := range m.Add {
			if number(name) > 15 {
				d.fail(d.at[fmt.Sprintf("steps[%d].membership", i)], "at most n15", "membership: %s is too many nodes", name)
				return
			}
		}
	}
}

// stepNames checks that steps' names are unique and those referred to exist.
func (d *decoder) stepNames(s *Scenario) {
	var names []string
	for i, step := range s.Steps {
		if step.Name == "" {
			continue
		}
		if slices.Contains(names, step.Name) {
			d.fail(d.at[fmt.Sprintf("steps[%d].name", i)], "names of steps are unique", "name: a second step %q", step.Name)
		}
		names = append(names, step.Name)
	}
	for i, step := range s.Steps {
		if step.After != nil {
			name, ok := strings.CutPrefix(step.After.Event, chaos.EventStepPrefix)
			if ok && !slices.Contains(names, name) {
				d.fail(d.at[fmt.Sprintf("steps[%d].after.event", i)], meant(name, names), "after: no step is named %q", name)
			}
		}
		heal, ok := step.Fault.(*chaos.Heal)
		if !ok {
			continue
		}
		words := slices.Concat([]string{"all"}, names, faultWords())
		for k, what := range heal.What {
			if !slices.Contains(words, what) {
				at := cmp.Or(d.at[fmt.Sprintf("steps[%d].heal.what[%d]", i, k)], d.at[fmt.Sprintf("steps[%d].heal", i)])
				d.fail(at, meant(what, words), "heal: %q is neither a step's name nor a fault", what)
			}
		}
	}
}
