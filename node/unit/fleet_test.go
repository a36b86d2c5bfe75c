package unit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/node/unit"
)

// parseFleet reads lines of [X-Fleet], and returns remarks as texts.
func parseFleet(t *testing.T, name, lines string) (unit.Requirements, []string, error) {
	t.Helper()
	n, err := unit.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	r, remarks, err := unit.ParseFleet(n, strings.Split(lines, "\n"))
	var texts []string
	for _, p := range remarks {
		texts = append(texts, p.Error())
	}
	return r, texts, err
}

func equals(key string, values ...string) unit.Condition {
	return unit.Condition{Key: key, Op: unit.Is, Values: values}
}

// TestFleetOptions goes through what fleet 1.0 makes of its options.
func TestFleetOptions(t *testing.T) {
	type want = unit.Requirements
	for _, tc := range []struct {
		name, lines string
		want        want
	}{
		{"a.service", "", want{}},
		{"a.service", "# comment\n\n; comment", want{}},

		{"a.service", "MachineID=123", want{Pinned: true, MachineID: "123"}},
		{"a.service", `MachineID="123" "456"`, want{Pinned: true, MachineID: "123"}},
		{"a.service", "MachineID=123\nMachineID=456", want{Pinned: true, MachineID: "123"}},
		{"a.service", "X-ConditionMachineID=1\nMachineID=2", want{Pinned: true, MachineID: "2"}},
		{"a.service", "X-ConditionMachineBootID=1\nX-ConditionMachineID=2", want{Pinned: true, MachineID: "2"}},
		{"a.service", "X-ConditionMachineBootID=1", want{Pinned: true, MachineID: "1"}},
		{"a.service", "MachineID=", want{Pinned: true}},
		{"a.service", "MachineID=%i", want{Pinned: true}},

		{"a.service", "MachineOf=b.service", want{MachineOf: []string{"b.service"}}},
		{"a.service", "MachineOf=b.service c.service", want{MachineOf: []string{"b.service c.service"}}},
		{"a.service", `MachineOf="b.service" "c.service"`, want{MachineOf: []string{"b.service", "c.service"}}},
		{"a.service", "MachineOf=b.service\nMachineOf=c.service", want{MachineOf: []string{"b.service", "c.service"}}},
		{"a.service", "MachineOf=b.service\nX-ConditionMachineOf=c.service", want{MachineOf: []string{"c.service", "b.service"}}},
		{"a@7.service", "MachineOf=b@%i.service", want{MachineOf: []string{"b@7.service"}}},
		{"a.service", "MachineOf=web@*.service", want{MachineOf: []string{"web@*.service"}}},

		{"a.service", "MachineMetadata=a=b", want{Metadata: []unit.Condition{equals("a", "b")}}},
		{"a.service", "MachineMetadata=a=b c=d", want{}},
		{"a.service", `MachineMetadata="a=b" "c=d"`, want{Metadata: []unit.Condition{equals("a", "b"), equals("c", "d")}}},
		{
			"a.service", "MachineMetadata=a=1\nMachineMetadata=c=d\nMachineMetadata=a=2\nMachineMetadata=a=1",
			want{Metadata: []unit.Condition{equals("a", "1", "2"), equals("c", "d")}},
		},
		{"a.service", "MachineMetadata=a=b\nX-ConditionMachineMetadata=a=c", want{Metadata: []unit.Condition{equals("a", "c", "b")}}},
		{"a.service", "MachineMetadata=a=b=c\nMachineMetadata=a\nMachineMetadata=a=\nMachineMetadata==b\nMachineMetadata=", want{}},
		{"a.service", `MachineMetadata="name=two words"`, want{Metadata: []unit.Condition{equals("name", "two words")}}},
		{"a@x.service", "MachineMetadata=hostname=%i", want{Metadata: []unit.Condition{equals("hostname", "x")}}},
		{"a@.service", "MachineMetadata=hostname=%i", want{}},
		{"a.service", "MachineMetadata=region=us-*", want{Metadata: []unit.Condition{equals("region", "us-*")}}},
		{
			"a.service", "MachineMetadata=\"a!=b\" \"ram>=4\" \"ram<64.5\" \"n<=1\" \"n>0\"",
			want{Metadata: []unit.Condition{
				{Key: "a", Op: unit.IsNot, Values: []string{"b"}},
				{Key: "ram", Op: unit.AtLeast, Values: []string{"4"}},
				{Key: "ram", Op: unit.Less, Values: []string{"64.5"}},
				{Key: "n", Op: unit.AtMost, Values: []string{"1"}},
				{Key: "n", Op: unit.Greater, Values: []string{"0"}},
			}},
		},

		{
			"a.service", "MachineMetadata=\"a!=b\" \"a=c\" \"a!=d\" \"a=e\" \"a!=b=c\"",
			want{Metadata: []unit.Condition{
				{Key: "a", Op: unit.IsNot, Values: []string{"b"}},
				equals("a", "c", "e"),
				{Key: "a", Op: unit.IsNot, Values: []string{"d"}},
			}},
		},

		{"a.1.service", "X-Conflicts=apache.*.service", want{Conflicts: []string{"apache.*.service"}}},
		{"a.service", "Conflicts=b* c*", want{Conflicts: []string{"b*", "c*"}}},
		{"a.service", "Conflicts=b*\nX-Conflicts=c*\nConflicts=\"d*\" \"e* f*\"", want{Conflicts: []string{"c*", "b*", "d*", "e*", "f*"}}},
		{"a@1.service", "Conflicts=%p@*.service %n", want{Conflicts: []string{"a@*.service", "a@1.service"}}},
		{"a.service", "Conflicts=", want{}},
		{"a.service", "Conflicts=%%n", want{Conflicts: []string{"%a.service"}}},
		{"a@b.service", "Conflicts=%N.x", want{Conflicts: []string{"a@b.x"}}},

		{"a.service", "Replaces=b.service c.service", want{Replaces: []string{"b.service c.service"}}},
		{"a.service", "Replaces=b.service\nReplaces=c*", want{Replaces: []string{"b.service", "c*"}}},

		{"a.service", "Global=true", want{Global: true}},
		{"a.service", "Global=YES", want{Global: true}},
		{"a.service", "Global=1", want{Global: true}},
		{"a.service", "Global=On", want{Global: true}},
		{"a.service", "Global=t", want{Global: true}},
		{"a.service", "Global=y", want{}},
		{"a.service", "Global=true\nGlobal=no", want{}},
		{"a.service", "Global=no\nGlobal=true", want{Global: true}},
		{"a.service", `Global="true" "maybe"`, want{}},

		// None of these is an option of fleet's.
		{"a.service", "X-Global=true\nglobal=true\nMachineof=x\nX-Replaces=b\nX-MachineMetadata=a=b\nX-Peers=c", want{}},
		// A continued line is one line here.
		{"a.service", "Conflicts=\"b*\" c\"*\"", want{Conflicts: []string{"b*", "c*"}}},
		{"a.service", "Conflicts=\"b* \"c\" d\"", want{Conflicts: []string{"b*", "c", "d"}}},
		{"a.service", "DisruptionBudget=3", want{Budget: unit.Budget{Count: 3}}},
		{"a.service", "MachineOf=\"b.service\" \\\n  \"c.service\"", want{MachineOf: []string{"b.service", "c.service"}}},
	} {
		got, _, err := parseFleet(t, tc.name, tc.lines)
		if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s %q: %v -want +got:\n%s", tc.name, tc.lines, err, diff)
		}
	}
}

// TestOwnOptions goes through the options that fleet doesn't have.
func TestOwnOptions(t *testing.T) {
	got, remarks, err := parseFleet(t, "web@.service", `Avoids=db@* cache.service
Spread=zone rack
SpreadWith=%p-old@*
SpreadLimit=2
Priority=-5
Replicas=3
DisruptionBudget=25%
Rebalance=yes
SettleSec=1min 30s
MoveAfterFailures=4
RetrySec=500ms
RetryMaxSec=5min
CPU=1.5
Memory=512M
Disk=10GiB
Resource="gpu=1" "licence=0.25"`)
	want := unit.Requirements{
		Avoids: []string{"db@*", "cache.service"}, Spread: []string{"zone", "rack"}, SpreadWith: []string{"web-old@*"},
		SpreadLimit: 2, Priority: -5, Replicas: 3, Budget: unit.Budget{Percent: 25}, Rebalance: true,
		Settle: 90 * time.Second, MoveAfter: 4, Retry: 500 * time.Millisecond, RetryMax: 5 * time.Minute,
		Resources: []unit.Resource{
			{Name: "cpu", Amount: 1500},
			{Name: "disk", Amount: 10 << 30},
			{Name: "gpu", Amount: 1000},
			{Name: "licence", Amount: 250},
			{Name: "memory", Amount: 512 << 20},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || remarks != nil {
		t.Errorf("%v %q -want +got:\n%s", err, remarks, diff)
	}
}

func TestReservations(t *testing.T) {
	for lines, want := range map[string][]unit.Resource{
		"X-MemoryReservation=1024\nX-CoresReservation=150\nX-DiskReservation=20": {
			{Name: "cpu", Amount: 1500},
			{Name: "disk", Amount: 20 << 20},
			{Name: "memory", Amount: 1 << 30},
		},
		"Memory=1G\nX-MemoryReservation=5": {{Name: "memory", Amount: 1 << 30}},
		"Resource=cpu=2":                   {{Name: "cpu", Amount: 2000}},
		"CPU=1\nCPU=150%":                  {{Name: "cpu", Amount: 1500}},
		"CPU=0":                            {{Name: "cpu"}},
	} {
		got, _, err := parseFleet(t, "a.service", lines)
		if diff := cmp.Diff(want, got.Resources); diff != "" || err != nil {
			t.Errorf("%q: %v -want +got:\n%s", lines, err, diff)
		}
	}
}

func TestFleetRefuses(t *testing.T) {
	for lines, want := range map[string]string{
		"\nPriority=high":                  `line 2: [X-Fleet] Priority: "high" is no number from -1000 to 1000`,
		"Priority=1001":                    `line 1: [X-Fleet] Priority: "1001" is no number from -1000 to 1000`,
		"Replicas=-1":                      `line 1: [X-Fleet] Replicas: "-1" is no number from 0 to 1000000`,
		"DisruptionBudget=0":               `line 1: [X-Fleet] DisruptionBudget: "0" is neither a number of units, from 1 up, nor a share such as 25%`,
		"DisruptionBudget=101%":            `line 1: [X-Fleet] DisruptionBudget: "101%" is neither a number of units, from 1 up, nor a share such as 25%`,
		"Rebalance=perhaps":                `line 1: [X-Fleet] Rebalance: "perhaps" is neither yes nor no`,
		"Spread=a/b":                       `line 1: [X-Fleet] Spread: "a/b" is no metadata key: letters, digits and _ . - only`,
		"RetrySec=infinity":                `line 1: [X-Fleet] RetrySec: can't be infinity`,
		"SettleSec=soon":                   `line 1: [X-Fleet] SettleSec: "soon" is no time span such as 90, 1min 30s or infinity`,
		"Memory=-1":                        `line 1: [X-Fleet] Memory: "-1" is no size such as 512M or 2G: not a number from 0 up`,
		"Memory=":                          `line 1: [X-Fleet] Memory: "" is no size such as 512M or 2G: not a number from 0 up`,
		"Memory=99999999999G":              `line 1: [X-Fleet] Memory: "99999999999G" is no size such as 512M or 2G: too large`,
		"CPU=a":                            `line 1: [X-Fleet] CPU: "a": not a number from 0 up`,
		"Resource=gpu":                     `line 1: [X-Fleet] Resource: "gpu" is not written name=amount`,
		"Resource=a/b=1":                   `line 1: [X-Fleet] Resource: "a/b=1" is not written name=amount`,
		"X-MemoryReservation=1G":           `line 1: [X-Fleet] X-MemoryReservation: "1G" is no whole number from 0 up`,
		"X-DiskReservation=99999999999999": "line 1: [X-Fleet] X-DiskReservation: \"99999999999999\" is no whole number from 0 up",
		"Resource=gpu=x":                   "line 1: [X-Fleet] Resource: \"x\": not a number from 0 up",
		"X-CoresReservation=-1":            `line 1: [X-Fleet] X-CoresReservation: "-1" is no whole number from 0 up`,
		"MachineMetadata=ram>=lots":        `line 1: [X-Fleet] MachineMetadata: >= compares numbers, but "lots" is no number`,
		"Priority=a\nReplicas=b":           "line 1: [X-Fleet] Priority: \"a\" is no number from -1000 to 1000\nline 2: [X-Fleet] Replicas: \"b\" is no number from 0 to 1000000",
		"Conflicts=a\n[Service]\nX=y":      "line 3: [Service] X: another section among the lines of [X-Fleet]",
		"Conflicts=a\nno assignment\n":     `line 2: [X-Fleet] unexpected newline encountered while parsing option name: "no assignment" (an option is written Name=value)`,
	} {
		_, _, err := parseFleet(t, "a.service", lines)
		if _, ok := errors.AsType[unit.Problem](err); !ok || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", lines, err, want)
		}
	}
}

// TestFleetRemarks: what does nothing is said.
func TestFleetRemarks(t *testing.T) {
	for _, tc := range []struct{ name, lines, want string }{
		{"a.service", "Frobnicate=1", `line 1: unrecognized requirement in [X-Fleet] section: "Frobnicate"`},
		{"a.service", "machineid=1", `line 1: unrecognized requirement in [X-Fleet] section: "machineid" (did you mean MachineID?)`},
		{"a.service", "X-Global=true", `line 1: unrecognized requirement in [X-Fleet] section: "X-Global" (did you mean Global?)`},
		{"a.service", "X-ConditionConflicts=x", `line 1: unrecognized requirement in [X-Fleet] section: "X-ConditionConflicts" (did you mean Conflicts?)`},
		{"a.service", "MachineID=1\nMachineID=2", `line 2: [X-Fleet] MachineID: does nothing: the machine is "1" already`},
		{"a.service", "X-ConditionMachineBootID=1", "line 1: [X-Fleet] X-ConditionMachineBootID: is compared with machine ids; no machine has a boot's id"},
		{"a.service", "MachineID=%i", "line 1: [X-Fleet] MachineID: is empty, which no machine's id is: the unit will run nowhere"},
		{"a.service", "MachineOf=", "line 1: [X-Fleet] MachineOf: is empty, which no unit's name is: the unit will run nowhere"},
		{"a.service", "MachineOf=b.service c.service", `line 1: [X-Fleet] MachineOf: "b.service c.service" is one name, which no unit has; write each name in quotes`},
		{"a.service", "Replaces=b c", `line 1: [X-Fleet] Replaces: "b c" is one name, which no unit has; write each name in quotes`},
		{"a.service", "\nMachineMetadata=a=b c=d", `line 2: [X-Fleet] MachineMetadata: "a=b c=d" does nothing: a condition is written key=value, each in quotes if there are several`},
		{"a.service", "Conflicts=[a", `line 1: [X-Fleet] Conflicts: "[a" is no pattern, and matches nothing`},
		{"a.service", "Conflicts=%n", "line 1: [X-Fleet] Conflicts: does nothing: a unit doesn't conflict with itself"},
		{"a.service", "Global=maybe", `line 1: [X-Fleet] Global: "maybe" is none of true, yes, 1, on and t, so the unit isn't global`},
		{"a.service", "Replicas=2", "line 1: [X-Fleet] Replicas: does nothing: only a template has replicas"},
		{"a.service", "SpreadLimit=2", "line 1: [X-Fleet] SpreadLimit: does nothing: there is no Spread"},
		{"a.service", "RetryMaxSec=2", "line 1: [X-Fleet] RetryMaxSec: does nothing: there is no RetrySec"},
		{"a.service", "Global=yes\nRebalance=yes", "line 2: [X-Fleet] Rebalance: does nothing: a global unit is on every machine"},
		{"a.service", "Priority=1\nPriority=2", "line 1: [X-Fleet] Priority: does nothing: another value follows"},
		{"a.service", "X-CoresReservation=1\nCPU=1", "line 2: [X-Fleet] CPU: replaces another amount of cpu"},
		{"a.service", "=x", "line 1: [X-Fleet] a value without a name does nothing"},
		{"a.service", "Global=no", ""},
		{"a@.service", "Replicas=2\nSpread=zone\nSpreadLimit=1", ""},
	} {
		_, remarks, err := parseFleet(t, tc.name, tc.lines)
		if got := strings.Join(remarks, "\n"); got != tc.want || err != nil {
			t.Errorf("%q: %q, %v\nwant %q", tc.lines, got, err, tc.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for lines, want := range map[string]string{
		"MachineID=1\nMachineOf=b.service":        "MachineID cannot be used with Peers",
		"MachineID=1\nConflicts=b":                "MachineID cannot be used with Conflicts",
		"MachineID=1\nGlobal=true":                "MachineID cannot be used with Global",
		"MachineID=1\nReplaces=b":                 "MachineID cannot be used with Replaces",
		"Global=true\nMachineOf=b.service":        "Global cannot be used with Peers",
		"Global=true\nReplaces=b":                 "Global cannot be used with Replaces",
		"Conflicts=a\nReplaces=b":                 "Conflicts cannot be used with Replaces",
		"MachineOf=b.service\nConflicts=b*":       `unresolvable requirements: peer "b.service" matches conflict "b*"`,
		"MachineOf=b.service\nReplaces=b.*":       `unresolvable requirements: peer "b.service" matches replace "b.*"`,
		"MachineID=1\nMachineMetadata=a=b":        "",
		"Global=true\nConflicts=b":                "",
		"Global=true\nMachineMetadata=a=b":        "",
		"MachineOf=b.service\nConflicts=c*":       "",
		"Conflicts=[b\nMachineOf=[b":              "",
		"MachineID=1\nConflicts=b\nReplaces=c":    "MachineID cannot be used with Conflicts",
		"X-ConditionMachineID=1\nX-Conflicts=b":   "MachineID cannot be used with Conflicts",
		"MachineID=1\nConflicts=":                 "",
		"Global=true\nX-ConditionMachineOf=b":     "Global cannot be used with Peers",
		"X-ConditionMachineBootID=1\nGlobal=true": "MachineID cannot be used with Global",
	} {
		r, _, err := parseFleet(t, "a.service", lines)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := r.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

func TestAllowsMachine(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for lines, want := range map[string]bool{
		"": true, "MachineID=" + id: true, "MachineID=01234567": true, "MachineID=012345678": false, "MachineID=0123": false,
		"MachineID=": false, "MachineID=89abcdef": false,
	} {
		r, _, err := parseFleet(t, "a.service", lines)
		if err != nil || r.AllowsMachine(id) != want {
			t.Errorf("%q: %v, %v", lines, r.AllowsMachine(id), err)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a.service", true},
		{"a*", "a.service", true},
		{"?.service", "a.service", true},
		{"[a-c].service", "b.service", true},
		{"[^x].service", "b.service", true},
		{"[^b].service", "b.service", false},
		{`\*.service`, "a.service", false},
		{"a.service", "a.service", true},
		{"a", "a.service", false},
		{"[a", "[a", false},
		{"", "a.service", false},
		{"apache.*.service", "apache.1.service", true},
		{"web@*.service", "web@1.service", true},
	} {
		if got := unit.Glob(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%q on %q: %v", tc.pattern, tc.name, got)
		}
	}
}

func TestConditionHolds(t *testing.T) {
	for _, tc := range []struct {
		condition string
		value     string
		has, want bool
	}{
		{"a=b", "b", true, true},
		{"a=b", "c", true, false},
		{"a=b", "", false, false},
		{"a!=b", "c", true, true},
		{"a!=b", "b", true, false},
		{"a!=b", "", false, true},
		{"a<10", "9.5", true, true},
		{"a<10", "10", true, false},
		{"a<=10", "10", true, true},
		{"a>10", "10", true, false},
		{"a>10", "11", true, true},
		{"a>=10", "10", true, true},
		{"a>=10", "9", true, false},
		{"a>=10", "many", true, false},
		{"a<10", "", false, false},
		{"a<10", "5", false, false},
		{"a<10", "-Inf", true, false},
		{"a<10", "NaN", true, false},
	} {
		r, _, err := parseFleet(t, "a.service", "MachineMetadata="+tc.condition)
		if err != nil || len(r.Metadata) != 1 || r.Metadata[0].String() != tc.condition {
			t.Fatalf("%s: %v %v", tc.condition, r.Metadata, err)
		}
		if got := r.Metadata[0].Holds(tc.value, tc.has); got != tc.want {
			t.Errorf("%s for %q, %v: %v", tc.condition, tc.value, tc.has, got)
		}
	}
}

func TestBudget(t *testing.T) {
	for _, tc := range []struct {
		budget  unit.Budget
		of      int
		want    int
		limited bool
	}{
		{unit.Budget{}, 5, 5, false},
		{unit.Budget{Count: 2}, 5, 2, true},
		{unit.Budget{Count: 9}, 5, 5, true},
		{unit.Budget{Percent: 25}, 10, 2, true},
		{unit.Budget{Percent: 1}, 10, 1, true},
		{unit.Budget{Percent: 1}, 0, 0, true},
	} {
		if got, limited := tc.budget.Of(tc.of); got != tc.want || limited != tc.limited {
			t.Errorf("%+v of %d: %d, %v", tc.budget, tc.of, got, limited)
		}
	}
}
