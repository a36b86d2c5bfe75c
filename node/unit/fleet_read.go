package unit

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is one value of an option; an option may be given several.
type value struct {
	text string
	from Option
}

// fleetReader fills Requirements.
type fleetReader struct {
	name     Name
	values   map[string][]value
	r        Requirements
	remarks  []Problem
	problems []Problem
}

// fleetOptions are the names in [X-Fleet] and who reads them. A name whose read
// is nil is an old spelling, read along with its modern one.
var fleetOptions = []struct {
	name string
	read func(*fleetReader, string)
}{
	{"MachineID", (*fleetReader).machineID},
	{"X-ConditionMachineID", nil},
	{"X-ConditionMachineBootID", nil},
	{"MachineOf", (*fleetReader).machineOf},
	{"X-ConditionMachineOf", nil},
	{"MachineMetadata", (*fleetReader).metadata},
	{"X-ConditionMachineMetadata", nil},
	{"Conflicts", (*fleetReader).conflicts},
	{"X-Conflicts", nil},
	{"Replaces", (*fleetReader).replaces},
	{"Global", (*fleetReader).global},
	{"Avoids", func(f *fleetReader, name string) { f.r.Avoids = f.globs(f.words(name)) }},
	{"Spread", (*fleetReader).spread},
	{"SpreadWith", func(f *fleetReader, name string) { f.r.SpreadWith = f.globs(f.words(name)) }},
	{"SpreadLimit", func(f *fleetReader, name string) { f.integer(name, &f.r.SpreadLimit, 1, maxReplicas) }},
	{"Priority", func(f *fleetReader, name string) { f.integer(name, &f.r.Priority, -1000, 1000) }},
	{"Replicas", func(f *fleetReader, name string) { f.integer(name, &f.r.Replicas, 0, maxReplicas) }},
	{"DisruptionBudget", (*fleetReader).budget},
	{"Rebalance", (*fleetReader).rebalance},
	{"SettleSec", func(f *fleetReader, name string) { f.span(name, &f.r.Settle) }},
	{"MoveAfterFailures", func(f *fleetReader, name string) { f.integer(name, &f.r.MoveAfter, 0, 1000) }},
	{"RetrySec", func(f *fleetReader, name string) { f.span(name, &f.r.Retry) }},
	{"RetryMaxSec", func(f *fleetReader, name string) { f.span(name, &f.r.RetryMax) }},
	{"X-CoresReservation", func(f *fleetReader, name string) { f.reservation(name, CPU, 10) }},
	{"X-MemoryReservation", func(f *fleetReader, name string) { f.reservation(name, Memory, 1<<20) }},
	{"X-DiskReservation", func(f *fleetReader, name string) { f.reservation(name, Disk, 1<<20) }},
	{"CPU", func(f *fleetReader, name string) { f.resource(name, CPU) }},
	{"Memory", func(f *fleetReader, name string) { f.resource(name, Memory) }},
	{"Disk", func(f *fleetReader, name string) { f.resource(name, Disk) }},
	{"Resource", (*fleetReader).named},
}

// maxReplicas bounds counts of units.
const maxReplicas = 1_000_000

// parseFleet reads the options of an [X-Fleet] section.
func parseFleet(name Name, options []Option) (Requirements, []Problem, error) {
	f := &fleetReader{name: name, values: make(map[string][]value)}
	for _, o := range options {
		if !slices.ContainsFunc(fleetOptions, func(known struct {
			name string
			read func(*fleetReader, string)
		},
		) bool {
			return known.name == o.Name
		}) {
			f.unknown(o)
			continue
		}
		for _, text := range splitValue(o.Value) {
			f.values[o.Name] = append(f.values[o.Name], value{expandFleet(text, name), o})
		}
	}
	for _, option := range fleetOptions {
		if option.read != nil {
			option.read(f, option.name)
		}
	}
	f.idle()
	slices.SortStableFunc(f.r.Resources, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(f.remarks, func(a, b Problem) int { return a.Line - b.Line })
	slices.SortStableFunc(f.problems, func(a, b Problem) int { return a.Line - b.Line })
	return f.r, f.remarks, asError(f.problems)
}

// splitValue splits a line that begins and ends with a quote at the blanks
// outside quotes; any other line is one value. Fleet left the backslash of a
// continued line among the values, where it matched nothing; here it is a blank.
func splitValue(s string) []string {
	s = strings.TrimSpace(strings.TrimSuffix(strings.ReplaceAll(s, "\\\n", " "), `\`))
	if !strings.HasPrefix(s, `"`) || !strings.HasSuffix(s, `"`) {
		return []string{s}
	}
	var values []string
	var b strings.Builder
	quoted := false
	for _, r := range s + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case (r == ' ' || r == '\t') && !quoted:
			if b.Len() > 0 {
				values = append(values, b.String())
			}
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() > 0 { // an odd number of quotes
		values = append(values, strings.TrimSuffix(b.String(), " "))
	}
	if values == nil {
		return []string{""}
	}
	return values
}

// expandFleet replaces the specifiers that fleet knows. There is no way to write
// a percent sign before one of their letters.
func expandFleet(s string, name Name) string {
	if name.full == "" || !strings.Contains(s, "%") {
		return s
	}
	pairs := []string{"n", name.String(), "N", name.Stem(), "p", name.Prefix(), "i", name.Instance()}
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "%" + pairs[i]
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

func (f *fleetReader) remark(v value, format string, args ...any) {
	f.remarks = append(f.remarks, at(v.from, format, args...))
}

func (f *fleetReader) refuse(v value, err error) {
	f.problems = append(f.problems, at(v.from, "%v", err))
}

// merged returns the values of the old spellings, then those of the modern name.
func (f *fleetReader) merged(names ...string) []value {
	var all []value
	for _, name := range names {
		all = append(all, f.values[name]...)
	}
	return all
}

// texts returns the values' texts, nil if there are none.
func texts(values []value) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.text)
	}
	return out
}

// words splits the values of an option of ours at blanks, quoted or not.
func (f *fleetReader) words(names ...string) []value { return fields(f.merged(names...)) }

func fields(values []value) []value {
	var out []value
	for _, v := range values {
		for word := range strings.FieldsSeq(v.text) {
			out = append(out, value{word, v.from})
		}
	}
	return out
}

// unknown remarks on an option in fleet's words, with what may have been meant.
func (f *fleetReader) unknown(o Option) {
	if o.Name == "" {
		return // the lexer has said so
	}
	p := Problem{Line: o.Line, What: fmt.Sprintf("unrecognized requirement in [X-Fleet] section: %q", o.Name)}
	bare := func(s string) string {
		return strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(s), "x-"), "condition")
	}
	for _, known := range fleetOptions {
		if bare(known.name) == bare(o.Name) {
			p = p.hint("did you mean %s?", known.name)
			break
		}
	}
	f.remarks = append(f.remarks, p)
}

// machineID takes the first value of the first spelling that is there.
func (f *fleetReader) machineID(string) {
	all := f.merged("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID")
	for i, v := range all {
		switch {
		case i > 0:
			f.remark(v, "does nothing: the machine is %s already", quote(f.r.MachineID))
			continue
		case v.text == "":
			f.remark(v, "is empty, which no machine's id is: the unit will run nowhere")
		case v.from.Name == "X-ConditionMachineBootID":
			f.remark(v, "is compared with machine ids; no machine has a boot's id")
		}
		f.r.Pinned, f.r.MachineID = true, v.text
	}
}

func (f *fleetReader) machineOf(string) {
	all := f.merged("X-ConditionMachineOf", "MachineOf")
	for _, v := range all {
		switch {
		case v.text == "":
			f.remark(v, "is empty, which no unit's name is: the unit will run nowhere")
		case strings.ContainsAny(v.text, " \t"):
			f.remark(v, "%s is one name, which no unit has; write each name in quotes", quote(v.text))
		case IsGlob(v.text):
			f.checkGlob(v)
		}
	}
	f.r.MachineOf = texts(all)
}

// conflicts splits at blanks, as fleet does from 1.0; in no other old option.
func (f *fleetReader) conflicts(string) {
	all := f.words("X-Conflicts", "Conflicts")
	for _, v := range all {
		if v.text == f.name.full && v.text != "" {
			f.remark(v, "does nothing: a unit doesn't conflict with itself")
		}
	}
	f.r.Conflicts = f.globs(all)
}

func (f *fleetReader) replaces(name string) {
	for _, v := range f.values[name] {
		if strings.ContainsAny(v.text, " \t") {
			f.remark(v, "%s is one name, which no unit has; write each name in quotes", quote(v.text))
		}
	}
	f.r.Replaces = f.globs(f.values[name])
}

func (f *fleetReader) globs(values []value) []string {
	for _, v := range values {
		f.checkGlob(v)
	}
	return texts(values)
}

func (f *fleetReader) checkGlob(v value) {
	if _, err := path.Match(v.text, ""); err != nil {
		f.remark(v, "%s is no pattern, and matches nothing", quote(v.text))
	}
}

// global takes the last value. What isn't true is false.
func (f *fleetReader) global(name string) {
	for _, v := range f.values[name] {
		switch strings.ToLower(v.text) {
		case "true", "yes", "1", "on", "t":
			f.r.Global = true
		default:
			f.r.Global = false
			if _, err := parseBool(v.text); err != nil || v.text == "y" {
				f.remark(v, "%s is none of true, yes, 1, on and t, so the unit isn't global", quote(v.text))
			}
		}
	}
}

// metadata merges equalities of one key. Pairs that fleet drops are dropped.
func (f *fleetReader) metadata(string) {
	for _, v := range f.merged("X-ConditionMachineMetadata", "MachineMetadata") {
		key, op, want, ok := splitCondition(v.text)
		if !ok || key == "" || want == "" || (op == Is || op == IsNot) && strings.Contains(want, "=") {
			f.remark(v, "%s does nothing: a condition is written key=value, each in quotes if there are several", quote(v.text))
			continue
		}
		if op != Is && op != IsNot {
			if _, err := number(want); err != nil {
				f.refuse(v, fmt.Errorf("%s compares numbers, but %w", op, err))
				continue
			}
		}
		i := slices.IndexFunc(f.r.Metadata, func(c Condition) bool { return op == Is && c.Op == Is && c.Key == key })
		switch {
		case i < 0:
			f.r.Metadata = append(f.r.Metadata, Condition{key, op, []string{want}})
		case !slices.Contains(f.r.Metadata[i].Values, want):
			f.r.Metadata[i].Values = append(f.r.Metadata[i].Values, want)
		}
	}
}

// last returns the value that counts of an option of ours.
func (f *fleetReader) last(name string) (v value, ok bool) {
	all := f.values[name]
	if len(all) == 0 {
		return value{}, false
	}
	for _, v := range all[:len(all)-1] {
		f.remark(v, "does nothing: another value follows")
	}
	return all[len(all)-1], true
}

func (f *fleetReader) integer(name string, to *int, least, most int) {
	v, ok := f.last(name)
	if !ok {
		return
	}
	n, err := strconv.Atoi(v.text)
	if err != nil || n < least || n > most {
		f.refuse(v, fmt.Errorf("%s is no number from %d to %d", quote(v.text), least, most))
		return
	}
	*to = n
}

func (f *fleetReader) span(name string, to *time.Duration) {
	v, ok := f.last(name)
	if !ok {
		return
	}
	d, err := parseSpan(v.text)
	if err == nil && d == Infinity {
		err = errors.New("can't be infinity")
	}
	if err != nil {
		f.refuse(v, err)
		return
	}
	*to = d
}

func (f *fleetReader) rebalance(name string) {
	if v, ok := f.last(name); ok {
		yes, err := parseBool(v.text)
		if err != nil {
			f.refuse(v, err)
		}
		f.r.Rebalance = yes
	}
}

// budget reads a number of units or a share of them.
func (f *fleetReader) budget(name string) {
	v, ok := f.last(name)
	if !ok {
		return
	}
	digits, share := strings.CutSuffix(v.text, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n < 1 || share && n > 100 || n > maxReplicas:
		f.refuse(v, fmt.Errorf("%s is neither a number of units, from 1 up, nor a share such as 25%%", quote(v.text)))
	case share:
		f.r.Budget = Budget{Percent: n}
	default:
		f.r.Budget = Budget{Count: n}
	}
}

func (f *fleetReader) spread(name string) {
	for _, v := range f.words(name) {
		if !isKey(v.text) {
			f.refuse(v, fmt.Errorf("%s is no metadata key: letters, digits and _ . - only", quote(v.text)))
			continue
		}
		f.r.Spread = append(f.r.Spread, v.text)
	}
}

// isKey says whether fleet's API would take a metadata key.
func isKey(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// reservation reads a whole number of 2014's units; a modern option comes later
// and takes its place.
func (f *fleetReader) reservation(name, resource string, unit int64) {
	v, ok := f.last(name)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < 0 || n > maxAmount/unit {
		f.refuse(v, fmt.Errorf("%s is no whole number from 0 up", quote(v.text)))
		return
	}
	f.reserve(v, resource, n*unit)
}

func (f *fleetReader) resource(name, resource string) {
	v, ok := f.last(name)
	if !ok {
		return
	}
	n, err := ParseAmount(resource, v.text)
	if err != nil {
		f.refuse(v, err)
		return
	}
	f.reserve(v, resource, n)
}

// named reads amounts of any resource, name=amount.
func (f *fleetReader) named(name string) {
	for _, v := range f.words(name) {
		resource, amount, ok := strings.Cut(v.text, "=")
		if !ok || !isKey(resource) {
			f.refuse(v, fmt.Errorf("%s is not written name=amount", quote(v.text)))
			continue
		}
		n, err := ParseAmount(resource, amount)
		if err != nil {
			f.refuse(v, err)
			continue
		}
		f.reserve(v, resource, n)
	}
}

func (f *fleetReader) reserve(v value, resource string, amount int64) {
	i := slices.IndexFunc(f.r.Resources, func(r Resource) bool { return r.Name == resource })
	if i < 0 {
		f.r.Resources = append(f.r.Resources, Resource{resource, amount})
		return
	}
	f.remark(v, "replaces another amount of %s", resource)
	f.r.Resources[i].Amount = amount
}

// idle remarks on options that do nothing beside the others, or for such a unit.
func (f *fleetReader) idle() {
	for _, c := range []struct {
		idle  bool
		names string
		why   string
	}{
		{!f.name.IsTemplate(), "Replicas", "only a template has replicas"},
		{len(f.r.Spread) == 0, "SpreadWith SpreadLimit", "there is no Spread"},
		{f.r.Retry == 0, "RetryMaxSec", "there is no RetrySec"},
		{
			f.r.Global, "Avoids Spread SpreadWith SpreadLimit Rebalance MoveAfterFailures Replicas",
			"a global unit is on every machine",
		},
	} {
		for name := range strings.FieldsSeq(c.names) {
			if v := f.values[name]; c.idle && len(v) > 0 {
				f.remark(v[0], "does nothing: %s", c.why)
			}
		}
	}
}
