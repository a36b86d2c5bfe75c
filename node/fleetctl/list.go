package fleetctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/fleetclient"
	"drydock/node/unit"
)

// listing are the flags of lists.
type listing struct {
	full, noLegend, json, watch, all bool
	fields                           string
}

// row is what a list has of one thing, by the names of its fields: as text, and as JSON
// has it where that is another.
type row struct {
	text  map[string]string
	typed map[string]any
}

// column is a field that a list can show. A shortened one has a long form, too.
type column struct{ name, about string }

// list is one of the list commands.
type list struct {
	s       *session
	flags   listing
	columns []column
	// usual columns are the release's; given tells whether the call has others.
	usual bool
	given func() bool
	// failed begins the message when the cluster can't be read; hint goes on with what it
	// may be, unless the cluster has said so itself.
	failed string
	hint   bool
	// read returns the rows that args ask for, in order, and the cluster's revision.
	read func(args []string, o fleetclient.Reading) ([]row, uint64, error)
}

func (s *session) listCommands() []*cobra.Command {
	machines := &list{s: s, hint: true, failed: "Error retrieving list of active machines from fleet API (%v)", columns: []column{
		{"machine", "its id"},
		{"ip", "its address"},
		{"metadata", "what units can ask for"},
		{"name", "the host's name"},
		{"version", "the program's"},
		{"units", "how many it has"},
		{"state", "up, drained or down"},
		{"resources", "what it has"},
	}}
	machines.read = machines.machines
	units := &list{s: s, usual: true, failed: "Error retrieving list of units from repository: %v", columns: []column{
		{"unit", "its name"},
		{"machine", "where it is"},
		{"load", "whether the machine knows it"},
		{"active", "whether it runs"},
		{"sub", "the same in detail"},
		{"hash", "of its text"},
		{"result", "what went wrong"},
		{"why", "the same in words"},
		{"state", "what the cluster takes it to be"},
		{"desc", "its description"},
	}}
	units.read = units.units
	files := &list{s: s, failed: "Error retrieving list of units from repository: %v", columns: []column{
		{"unit", "its name"},
		{"hash", "of its text"},
		{"dstate", "what is desired"},
		{"state", "what is"},
		{"target", "its machine"},
		{"tmachine", "the same, in old words"},
		{"global", "whether it runs everywhere"},
		{"desc", "its description"},
		{"why", "why it isn't where or what it should be"},
	}}
	files.read = files.files
	return []*cobra.Command{
		machines.command("list-machines [PATTERN...]", "List the machines", "machine,ip,metadata",
			"  fleetctl list-machines\n  fleetctl list-machines --full --no-legend\n  fleetctl list-machines --fields machine,units,state --all"),
		units.command("list-units [PATTERN...]", "List what machines say of their units", "",
			"  fleetctl list-units\n  fleetctl list-units --watch 'web@*'\n  fleetctl list-units --json | jq '.[].unit'"),
		files.command("list-unit-files [PATTERN...]", "List the units that the cluster knows", "unit,hash,dstate,state,target",
			"  fleetctl list-unit-files\n  fleetctl list-unit-files --fields unit,dstate,state,why"),
	}
}

func (l *list) command(use, short, fields, example string) *cobra.Command {
	var names []string
	for _, c := range l.columns {
		names = append(names, fmt.Sprintf("  %-10s %s", c.name, c.about))
	}
	long := short + `, all or those that a pattern matches. Columns are separated by tabs.

Fields:
` + strings.Join(names, "\n") + `

With --json the list is an array of objects with the fields, in full; with --watch
such an array comes on a line whenever something has changed.`
	c := l.s.online(use, short, long, example, l.run)
	f := c.Flags()
	f.BoolVarP(&l.flags.full, "full", "l", false, "don't shorten ids and hashes")
	f.BoolVar(&l.flags.noLegend, "no-legend", false, "leave the column heads away")
	f.StringVar(&l.flags.fields, "fields", fields, "columns to show, with commas")
	l.given = func() bool { return f.Changed("fields") }
	f.BoolVar(&l.flags.json, "json", false, "write JSON")
	f.BoolVar(&l.flags.watch, "watch", false, "show the list again whenever it changes")
	if strings.HasPrefix(use, "list-machines") {
		f.BoolVar(&l.flags.all, "all", false, "list machines that are down, too")
	}
	return c
}

// run shows a list once, or until it is interrupted.
func (l *list) run(args []string) int {
	s := l.s
	if l.usual && !l.given() {
		l.flags.fields = s.words.unitColumns
	}
	fields, err := l.chosen()
	if err != nil {
		s.errf("%v", err)
		return exitFailed
	}
	o := fleetclient.Reading{Details: true, All: l.flags.all}
	var before []byte
	lost := false
	for {
		rows, revision, err := l.read(args, o)
		if err != nil && (before == nil || s.ctx.Err() != nil) {
			if s.ctx.Err() != nil {
				return exitFailed
			}
			return l.fail(err)
		}
		if err != nil && !lost {
			s.errf("The cluster doesn't answer, and is asked again: %v", err)
		}
		lost = err != nil
		if err == nil {
			var text bytes.Buffer
			if err := l.write(&text, fields, rows); err != nil {
				return l.fail(err)
			}
			l.show(before, text.Bytes())
			before = text.Bytes()
		}
		if !l.flags.watch {
			return exitOK
		}
		rest := time.Second
		if err == nil && revision > 0 && s.client.Extended() {
			// The server answers sooner if something changes.
			o.After, o.Wait, rest = revision, 30*time.Second, apart
		}
		s.sleep(rest)
	}
}

// chosen returns the fields to show.
func (l *list) chosen() ([]string, error) {
	if l.flags.fields == "" {
		return nil, messagef("Must define output format")
	}
	fields := strings.Split(l.flags.fields, ",")
	for _, f := range fields {
		if !slices.ContainsFunc(l.columns, func(c column) bool { return c.name == f }) {
			return nil, messagef("Invalid key in output format: %q", f)
		}
		if f == "tmachine" {
			l.s.errf(`WARNING: The "tmachine" field is deprecated. Use "target" instead`)
		}
	}
	return fields, nil
}

// fail says that the cluster couldn't be read.
func (l *list) fail(err error) int {
	if l.flags.json {
		text, _ := json.Marshal(map[string]string{"error": err.Error()})
		l.s.outf("%s", text)
	}
	l.s.errf(l.failed, err)
	var refused *fleetclient.Error
	if l.hint && (!errors.As(err, &refused) || refused.Code >= http.StatusInternalServerError) {
		l.s.errf("Possible issues:\n  etcd is unhealthy and/or lost quorum\n  connection cannot be established to any etcd servers")
	}
	return exitFailed
}

// write puts the rows down as a table or as JSON.
func (l *list) write(out io.Writer, fields []string, rows []row) error {
	if l.flags.json {
		list := make([]map[string]any, 0, len(rows))
		for _, r := range rows {
			one := make(map[string]any)
			for _, c := range l.columns {
				if c.name != "tmachine" {
					one[c.name] = r.text[c.name]
				}
			}
			maps.Copy(one, r.typed)
			list = append(list, one)
		}
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		return enc.Encode(list)
	}
	t := tabwriter.NewWriter(out, 0, 8, 1, '\t', 0)
	if !l.flags.noLegend {
		fmt.Fprintln(t, strings.ToUpper(strings.Join(fields, "\t")))
	}
	for _, r := range rows {
		cells := make([]string, len(fields))
		for i, f := range fields {
			cells[i] = orDash(r.text[f])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// show writes a list. One that is watched is written again only if it has changed: on
// a terminal in place of the one before, elsewhere after an empty line.
func (l *list) show(before, now []byte) {
	env := l.s.env
	switch {
	case before != nil && bytes.Equal(before, now):
		return
	case l.flags.watch && env.OutTTY && !l.flags.json && env.Getenv("TERM") != "dumb":
		fmt.Fprint(env.Stdout, "\x1b[H\x1b[2J")
	case before != nil && !l.flags.json:
		fmt.Fprintln(env.Stdout)
	}
	_, _ = env.Stdout.Write(now)
}

// wanted tells whether one of the words means a name.
func wanted(name string, args []string) bool {
	return len(args) == 0 || slices.ContainsFunc(args, func(a string) bool {
		return unit.Glob(a, name) || unit.Glob(unit.Complete(a), name)
	})
}

// full writes ids in full if that is asked for, as it is in JSON.
func (l *list) full() bool { return l.flags.full || l.flags.json }

func (l *list) machines(args []string, o fleetclient.Reading) ([]row, uint64, error) {
	list, revision, err := l.s.client.Machines(l.s.ctx, o)
	var rows []row
	for _, m := range list {
		if len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(m.ID, a) || unit.Glob(a, m.ID) }) {
			continue
		}
		state := "up"
		switch {
		case m.Down:
			state = "down"
		case m.Drained:
			state = "drained"
		}
		r := row{map[string]string{
			"machine": short(m.ID, l.full()), "ip": m.PrimaryIP, "metadata": pairs(m.Metadata),
			"name": m.Name, "version": m.Version, "resources": amounts(m.Resources),
		}, map[string]any{"units": m.Units, "metadata": notNil(m.Metadata), "resources": notNil(m.Resources)}}
		if l.s.client.Extended() {
			r.text["units"], r.text["state"] = strconv.Itoa(m.Units), state
		}
		rows = append(rows, r)
	}
	return rows, revision, err
}

// notNil has an empty map written as one.
func notNil[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// amounts writes resources as name=amount, with commas.
func amounts(m map[string]int64) string {
	text := make(map[string]string, len(m))
	for name, n := range m {
		text[name] = amount(name, n)
	}
	return pairs(text)
}

// amount writes what ParseAmount reads: thousandths, or bytes of memory and disk.
func amount(name string, n int64) string {
	if name != unit.Memory && name != unit.Disk {
		return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64)
	}
	const suffixes = "KMGTPE"
	suffix := ""
	for i := 0; i < len(suffixes) && n >= 1<<10 && n%(1<<10) == 0; i++ {
		n, suffix = n>>10, suffixes[i:i+1]
	}
	return strconv.FormatInt(n, 10) + suffix
}

func (l *list) hash(h string) string {
	const shown = 7
	if l.full() {
		return h
	}
	return h[:min(shown, len(h))]
}

func (l *list) units(args []string, o fleetclient.Reading) ([]row, uint64, error) {
	if l.s.words.whole || l.uses("state") || l.uses("desc") {
		return l.wholeUnits(args, o)
	}
	list, revision, err := l.s.client.States(l.s.ctx, o)
	if err != nil {
		return nil, 0, err
	}
	var rows []row
	for _, st := range list {
		if wanted(st.Name, args) {
			rows = append(rows, l.stateRow(st))
		}
	}
	return rows, revision, nil
}

// uses tells whether a field that takes more to find out is shown.
func (l *list) uses(field string) bool {
	return l.flags.json || slices.Contains(strings.Split(l.flags.fields, ","), field)
}

func (l *list) stateRow(st fleetclient.State) row {
	return row{map[string]string{
		"unit": st.Name, "machine": l.s.legend(st.MachineID, l.full()), "load": st.LoadState, "active": st.ActiveState,
		"sub": st.SubState, "hash": l.hash(st.Hash), "result": st.Result, "why": l.s.withLegends(st.Why),
	}, map[string]any{"machine": st.MachineID, "ip": l.s.machine(st.MachineID).PrimaryIP}}
}

// wholeUnits lists the units themselves beside what machines say of them. The lists of
// 2014 have units that run nowhere, too; there, one that wasn't started, or was
// stopped, has no machine.
func (l *list) wholeUnits(args []string, o fleetclient.Reading) ([]row, uint64, error) {
	list, revision, err := l.s.client.Units(l.s.ctx, o)
	if err != nil {
		return nil, 0, err
	}
	states, _, err := l.s.client.States(l.s.ctx, fleetclient.Reading{Details: true})
	if err != nil {
		return nil, 0, err
	}
	of := make(map[string][]fleetclient.State)
	for _, st := range states {
		of[st.Name] = append(of[st.Name], st)
	}
	var rows []row
	for i := range list {
		u := &list[i]
		if !wanted(u.Name, args) {
			continue
		}
		mine := of[u.Name]
		if l.s.words.silent && u.DesiredState != fleetclient.Launched {
			mine = nil
		}
		if len(mine) == 0 && l.s.words.whole {
			rows = append(rows, row{text: map[string]string{"unit": u.Name, "state": u.CurrentState, "desc": description(u)}})
		}
		for _, st := range mine {
			r := l.stateRow(st)
			r.text["state"], r.text["desc"] = u.CurrentState, description(u)
			rows = append(rows, r)
		}
	}
	return rows, revision, nil
}

func description(u *fleetclient.Unit) string {
	for _, o := range u.Options {
		if o.Section == "Unit" && o.Name == "Description" {
			return o.Value
		}
	}
	return ""
}

func (l *list) files(args []string, o fleetclient.Reading) ([]row, uint64, error) {
	list, revision, err := l.s.client.Units(l.s.ctx, o)
	if err != nil {
		return nil, 0, err
	}
	var rows []row
	for i := range list {
		u := &list[i]
		if !wanted(u.Name, args) {
			continue
		}
		r := map[string]string{"unit": u.Name, "dstate": u.DesiredState, "desc": description(u), "why": l.s.withLegends(u.Why), "global": "false"}
		f, err := u.File()
		if err == nil {
			r["hash"] = l.hash(f.Hash().String())
		}
		switch {
		case isGlobal(u):
			r["global"], r["target"] = "true", "global"
		default:
			r["state"] = u.CurrentState
			if u.MachineID != "" {
				r["target"] = l.s.legend(u.MachineID, l.full())
			}
		}
		r["tmachine"] = r["target"]
		rows = append(rows, row{r, map[string]any{"global": isGlobal(u), "target": u.MachineID}})
	}
	return rows, revision, nil
}
