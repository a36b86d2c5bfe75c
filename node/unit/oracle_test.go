package unit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drydock/node/unit"
)

// oracle is what fleet 1.0 makes of lines "name=value", from its documentation
// and runs of it, in the plainest way: every option's values, in order, and then
// a rule for each option. It knows nothing of continued lines.
func oracle(name unit.Name, lines []string) unit.Requirements {
	values := map[string][]string{}
	for _, line := range lines {
		option, value, _ := strings.Cut(line, "=")
		for _, v := range oracleSplit(strings.TrimSpace(value)) {
			for _, s := range [][2]string{
				{"%n", name.String()},
				{"%N", name.Stem()},
				{"%" + "p", name.Prefix()},
				{"%i", name.Instance()},
			} {
				v = strings.ReplaceAll(v, s[0], s[1])
			}
			values[option] = append(values[option], v)
		}
	}
	var r unit.Requirements
	for _, option := range []string{"X-ConditionMachineBootID", "X-ConditionMachineID", "MachineID"} {
		if v := values[option]; len(v) > 0 {
			r.Pinned, r.MachineID = true, v[0]
		}
	}
	r.MachineOf = slices.Concat(values["X-ConditionMachineOf"], values["MachineOf"])
	for _, v := range slices.Concat(values["X-Conflicts"], values["Conflicts"]) {
		r.Conflicts = append(r.Conflicts, strings.Fields(v)...)
	}
	r.Replaces = values["Replaces"]
	if v := values["Global"]; len(v) > 0 {
		r.Global = slices.Contains([]string{"true", "yes", "1", "on", "t"}, strings.ToLower(v[len(v)-1]))
	}
	for _, v := range slices.Concat(values["X-ConditionMachineMetadata"], values["MachineMetadata"]) {
		parts := strings.Split(v, "=")
		if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
			continue
		}
		i := slices.IndexFunc(r.Metadata, func(c unit.Condition) bool { return c.Key == parts[0] })
		if i < 0 {
			i = len(r.Metadata)
			r.Metadata = append(r.Metadata, unit.Condition{Key: parts[0], Op: unit.Is})
		}
		if !slices.Contains(r.Metadata[i].Values, parts[1]) {
			r.Metadata[i].Values = append(r.Metadata[i].Values, parts[1])
		}
	}
	return r
}

// oracleSplit splits a value between whose quotes single blanks stand.
func oracleSplit(s string) []string {
	if !strings.HasPrefix(s, `"`) || !strings.HasSuffix(s, `"`) {
		return []string{s}
	}
	var values []string
	for i, part := range strings.Split(s, `"`) {
		if i%2 == 1 {
			values = append(values, part)
		}
	}
	return values
}

func TestFleetAgainstOracle(t *testing.T) {
	names := rapid.SampledFrom([]string{"a.service", "web@1.service", "web@.service", "a.b@x-y.socket"})
	options := rapid.SampledFrom([]string{
		"MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID", "MachineOf", "X-ConditionMachineOf",
		"MachineMetadata", "X-ConditionMachineMetadata", "Conflicts", "X-Conflicts", "Replaces", "Global",
		"X-Global", "global", "MachineId", "Frobnicate",
	})
	values := rapid.SampledFrom([]string{
		"true", "No", "T", "on", "a=b", "a=c", "b=c", "a=b=c", "a=", "=b", "%n", "%i=%p", "x%Ny", "web@*.service", "[a",
		"a.service", "b.service", "a b", "a=b c=d", "100%", "%%n", "id-1",
	})
	rapid.Check(t, func(t *rapid.T) {
		name, err := unit.ParseName(names.Draw(t, "name"))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for range rapid.IntRange(0, 8).Draw(t, "lines") {
			value := values.Draw(t, "value")
			if n := rapid.IntRange(0, 3).Draw(t, "quoted"); n > 0 {
				value = `"` + strings.Join(rapid.SliceOfN(values, n, n).Draw(t, "values"), `" "`) + `"`
			}
			lines = append(lines, options.Draw(t, "option")+"="+value)
		}
		got, _, err := unit.ParseFleet(name, lines)
		if diff := cmp.Diff(oracle(name, lines), got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%s %q: %v -oracle +got:\n%s", name, lines, err, diff)
		}
	})
}

// FuzzParseFleet: nothing panics, and what was read makes sense by itself.
func FuzzParseFleet(f *testing.F) {
	f.Add("web@1.service", "MachineMetadata=\"a=b\" \"c>=5\"\nConflicts=%p@*\nDisruptionBudget=25%\nMemory=1.5G\nRetrySec=5 s")
	f.Add("a.service", "Resource=\"gpu=1\" \"x=.5\" y=3\nSpread=zone rack\nPriority=-3\nCPU=150%\nX-MemoryReservation=12")
	f.Fuzz(func(t *testing.T, name, text string) {
		n, err := unit.ParseName(name)
		if err != nil {
			return
		}
		r, remarks, err := unit.ParseFleet(n, strings.Split(text, "\n"))
		for _, p := range remarks {
			if p.What == "" || p.Line < 1 && p.Option != "" {
				t.Errorf("%q: %+v", text, p)
			}
		}
		if err != nil {
			return
		}
		_ = r.Validate()
		for _, c := range r.Metadata {
			if c.Key == "" || len(c.Values) == 0 || c.Op != unit.Is && len(c.Values) != 1 {
				t.Errorf("%q: %+v", text, c)
			}
			_ = c.Holds("5", true)
		}
		for i, a := range r.Resources {
			if a.Amount < 0 || i > 0 && r.Resources[i-1].Name >= a.Name {
				t.Errorf("%q: %+v", text, r.Resources)
			}
		}
		if r.Retry < 0 || r.RetryMax < 0 || r.Settle < 0 || slices.Contains(r.Conflicts, "") {
			t.Errorf("%q: %+v", text, r)
		}
	})
}

// TestWordsRoundTrip: a word survives its quoting.
func TestWordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringOf(rapid.SampledFrom([]rune("ab \t\n\"'\\;$%é\x01")))).Draw(t, "words")
		var quoted []string
		for _, w := range words {
			w = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x01", `\x01`, " ", `\s`).Replace(w)
			quoted = append(quoted, `"`+w+`"`)
		}
		got, err := unit.SplitWords(strings.Join(quoted, "  "))
		if diff := cmp.Diff(words, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%q: %v -want +got:\n%s", quoted, err, diff)
		}
	})
}
