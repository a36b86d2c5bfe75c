package inject

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// driver is one that can do nothing but what is said.
type driver struct {
	lab.Driver
	can lab.Capabilities
}

func (driver) Name() string { return "test" }

func (d driver) Capabilities() lab.Capabilities { return d.can }

// ground is one with a switch.
type ground struct {
	lab.Ground
	sw *wire.Switch
}

func (g ground) Wire() *wire.Switch { return g.sw }

// injector is one of a lab of two members and a worker.
func injector(t *testing.T) (*Injector, *wire.Switch) {
	t.Helper()
	spec, err := lab.Parse("lab.yaml", []byte("machines: [{name: core, count: 2}, {name: n1, role: worker}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	sw := wire.New(wire.Config{})
	t.Cleanup(func() {
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	})
	site := &lab.Site{Spec: spec, Machines: spec.MachineList()}
	for _, name := range []string{"host", "core-01", "core-02", "n1-01"} {
		if err := sw.AddPort(fabric.Port{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return &Injector{Site: site, Driver: driver{}, Ground: ground{sw: sw}}, sw
}

// TestWhatLabsCanDo: a fault is refused by its name and by what is missing, or what
// would do.
func TestWhatLabsCanDo(t *testing.T) {
	bare, skilled := driver{}, driver{can: lab.Capabilities{lab.HasClock, lab.HasDiskFaults}}
	for _, tc := range []struct {
		kind   chaos.Kind
		d      lab.Driver
		kernel bool
		want   string
	}{
		{chaos.KindCrash, bare, false, ""},
		{chaos.KindPause, bare, true, ""},
		{chaos.KindPartition, bare, false, ""},
		{chaos.KindPartition, bare, true, ""},
		{chaos.KindLoss, bare, true, ""},
		{chaos.KindDelay, bare, false, ""},
		{chaos.KindDelay, bare, true, "delay: the driver test can't: its machines are connected by the kernel"},
		{chaos.KindReorder, bare, true, "`network: {path: wire}`"},
		{chaos.KindClockJump, bare, false, `clock-jump: the driver test can't: it lacks the capability "clock"`},
		{chaos.KindDiskFull, bare, false, `it lacks the capability "disk-faults"`},
		{chaos.KindClockJump, skilled, false, ""},
		{chaos.KindDiskFull, skilled, true, ""},
		{chaos.KindClockRate, lab.Controlled(bare), false, ""},
		{"storm", skilled, false, "storm: the driver test can't"},
	} {
		err := Supports(tc.d, tc.kernel, tc.kind)
		missing := new(lab.MissingError)
		if (err == nil) != (tc.want == "") || err != nil && (!errors.As(err, &missing) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s, on the kernel's path %v: got %v, want %q", tc.kind, tc.kernel, err, tc.want)
		}
	}
}

// TestNames: nodes are called by their machines' names, whole words alone.
func TestNames(t *testing.T) {
	i, _ := injector(t)
	for text, want := range map[string]string{
		"crash n1":                   "crash core-01",
		"partition {n1} | {n2 w1}":   "partition {core-01} | {core-02 n1-01}",
		"n1, n10, an1 and n1-01, n2": "core-01, n10, an1 and n1-01, core-02",
		"":                           "",
	} {
		if got := i.Names(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestLinksBetweenMachines: a fault of links is about machines, never about clients' way
// in, and its undo ends it once.
func TestLinksBetweenMachines(t *testing.T) {
	i, sw := injector(t)
	undo, _, err := i.Inject(chaos.Fault{Kind: chaos.KindFlap, Text: "flap n1", Nodes: []string{"n1"}, Params: &chaos.Flap{Up: time.Second, Down: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	rules := sw.Report().Rules
	if len(rules) != 1 || rules[0].Name != "flap core-01" || len(rules[0].Pairs) != 4 ||
		slices.ContainsFunc(rules[0].Pairs, func(p fabric.Pair) bool { return p.From == "" || p.To == "" || p.From == "host" || p.To == "host" }) {
		t.Errorf("rules: %+v", rules)
	}
	if err := undo(); err != nil || len(sw.Report().Rules) > 0 {
		t.Errorf("undone: %v, %+v", err, sw.Report().Rules)
	}
	if err := undo(); err == nil {
		t.Error("it is undone twice")
	}
	cut := chaos.Fault{
		Kind: chaos.KindPartition, Text: "partition", Params: &chaos.Partition{},
		Links: []chaos.Link{{From: "n1", To: "n2"}, {From: "w1", To: "n9"}},
	}
	if _, _, err := i.Inject(cut); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fabric.Pair{{From: "core-01", To: "core-02"}}, sw.Report().Rules[0].Pairs); diff != "" {
		t.Error(diff)
	}
}
