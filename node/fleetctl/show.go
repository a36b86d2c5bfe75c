package fleetctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/fleetclient"
)

// showing are the flags of commands that show one unit.
type showing struct {
	machine string
	sshPort int
	lines   int
	follow  bool
	output  string
	sudo    bool
	json    bool
}

// showCommands are those that show units one by one.
func (s *session) showCommands() []*cobra.Command {
	status, journal, reason := &showing{}, &showing{}, &showing{}
	cat := s.online("cat UNIT", "Show what a unit says", "Show the text of a unit as the cluster has it.", "  fleetctl cat hello.service", s.cat)
	st := s.online("status UNIT...", "Show how units do, with the last lines of their output",
		"Show how units do on their machines: global units on each of them. The machines are asked\n"+
			"through the cluster; those of another program than Drydock's by ssh. The exit code is 0 if all are\nactive, 3 if one isn't.",
		"  fleetctl status hello.service\n  fleetctl status 'web@*'", func(args []string) int { return s.status(status, args) })
	st.Flags().StringVar(&status.machine, "machine", "", "of a global unit's, only this machine (id, or how it begins)")
	st.Flags().BoolVar(&status.json, "json", false, "write an object of JSON a line for each unit and machine")
	st.Flags().IntVar(&status.sshPort, "ssh-port", sshPort, "port for ssh, where that is used")
	j := s.online("journal UNIT", "Show what a unit has written",
		"Show what a unit has written on its machine. The machine is asked through the cluster; one of\n"+
			"another program than Drydock's by ssh.",
		"  fleetctl journal -f hello.service\n  fleetctl journal --lines 100 --output cat web@1", func(args []string) int { return s.journal(journal, args) })
	f := j.Flags()
	f.StringVar(&journal.machine, "machine", "", "of a global unit's, this machine (id, or how it begins)")
	f.IntVarP(&journal.lines, "lines", "n", 10, "how many of the last lines to show")
	f.BoolVarP(&journal.follow, "follow", "f", false, "go on with lines as they come")
	f.StringVarP(&journal.output, "output", "o", "short", "form of a line: short, short-iso, short-precise, cat or json")
	f.BoolVar(&journal.sudo, "sudo", false, "by ssh: read the journal as root")
	f.IntVar(&journal.sshPort, "ssh-port", sshPort, "port for ssh, where that is used")
	why := s.online("why UNIT...", "Say why units aren't where or what they should be",
		"Say of each unit why it isn't on a machine, or isn't what it should be there.", "  fleetctl why meta.service",
		func(args []string) int { return s.why(reason, args) })
	why.Flags().BoolVar(&reason.json, "json", false, "write an object of JSON a line for each unit; why is empty if all is well")
	list := []*cobra.Command{cat, st, j, why}
	for _, c := range list {
		s.completing(c, false, s.clusterNames)
	}
	return list
}

// one returns the only unit that a command is about; it says what is wrong, else, and
// ends that with stop.
func (s *session) one(args []string, stop string) (*fleetclient.Unit, bool) {
	if len(args) != 1 {
		s.errf("One unit file must be provided%s", stop)
		return nil, false
	}
	list, ok := s.targets(args, ofCluster|templates)
	if !ok {
		return nil, false
	}
	if len(list) != 1 {
		s.errf("One unit file must be provided: %s matches %d", args[0], len(list))
		return nil, false
	}
	name := list[0].name
	u, _, err := s.client.Unit(s.ctx, name, fleetclient.Reading{Details: true})
	switch {
	case fleetclient.IsNotFound(err):
		return &fleetclient.Unit{Name: name}, false
	case err != nil:
		s.errf("Error retrieving Unit %s: %v", name, err)
		return nil, false
	}
	return u, true
}

func (s *session) cat(args []string) int {
	u, ok := s.one(args, s.words.stop)
	switch {
	case !ok && u != nil:
		s.errf("%s %s not found%s", s.words.unit, u.Name, s.words.stop)
		return exitFailed
	case !ok:
		return exitFailed
	}
	f, err := u.File()
	if err != nil {
		s.errf("Error retrieving Unit %s: %v", u.Name, err)
		return exitFailed
	}
	if _, err := io.WriteString(s.env.Stdout, f.Text()); err != nil {
		return exitFailed
	}
	return exitOK
}

func (s *session) why(o *showing, args []string) int {
	if len(args) == 0 {
		s.errf("No units given")
		return exitOK
	}
	names, there, ok := s.existing(args, ofCluster|templates|byName)
	for _, name := range names {
		u := there[name]
		if o.json {
			s.outf("%s", jsonText(map[string]string{"unit": name, "why": u.Why}))
			continue
		}
		why := s.withLegends(u.Why)
		switch {
		case why != "":
		case !s.client.Extended() && !isGlobal(u) && u.CurrentState != u.DesiredState:
			why = s.waitsFor(u, u.DesiredState) + " (this cluster doesn't say why)"
		case isGlobal(u):
			why = "nothing is wrong: " + u.DesiredState + " on every machine that allows it"
		case u.MachineID != "":
			why = fmt.Sprintf("nothing is wrong: %s on %s", u.CurrentState, s.legend(u.MachineID, false))
		default:
			why = "nothing is wrong: " + orDash(u.CurrentState)
		}
		s.outf("%s: %s", name, why)
	}
	return code(ok)
}

// machinesOf are the ids of those that have a unit, sorted; with a prefix, the one
// whose id begins so.
func (s *session) machinesOf(u *fleetclient.Unit, begin string) ([]string, error) {
	var ids []string
	switch {
	case len(u.Places) > 0:
		for _, p := range u.Places {
			ids = append(ids, p.MachineID)
		}
	case u.MachineID != "":
		ids = []string{u.MachineID}
	default:
		states, _, err := s.client.States(s.ctx, fleetclient.Reading{Unit: u.Name})
		if err != nil {
			return nil, err
		}
		for _, st := range states {
			if st.Name == u.Name && st.MachineID != "" {
				ids = append(ids, st.MachineID)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return !strings.HasPrefix(id, begin) })
	if begin != "" && len(ids) != 1 {
		return nil, fmt.Errorf("unit %s is on %d machines whose id begins with %s", u.Name, len(ids), begin)
	}
	return ids, nil
}

// status shows units one after the other; all are tried, and the worst code counts.
func (s *session) status(o *showing, args []string) int {
	if len(args) == 0 {
		s.errf("No units given")
		return exitOK
	}
	names, there, ok := s.existing(args, ofCluster|byName)
	worst := code(ok)
	shown := 0
	for _, name := range names {
		u := there[name]
		if !isGlobal(u) && u.CurrentState == fleetclient.Inactive {
			s.errf("%s %s does not appear to be loaded.", s.words.unit, name)
			worst = max(worst, exitFailed)
			continue
		}
		ids, err := s.machinesOf(u, o.machine)
		if err == nil && len(ids) == 0 {
			err = messagef("%s %s does not appear to be loaded.", s.words.unit, name)
		}
		if err != nil {
			s.errf("%v", err)
			worst = max(worst, exitFailed)
		}
		for _, id := range ids {
			if shown++; shown > 1 && !o.json {
				s.outf("")
			}
			worst = max(worst, s.statusOn(o, name, id))
		}
	}
	return worst
}

// statusOn shows a unit on one machine.
func (s *session) statusOn(o *showing, name, id string) int {
	if !s.client.Extended() {
		if o.json {
			s.errf("Error retrieving status of unit %s: this cluster can't tell it as JSON", name)
			return exitFailed
		}
		return s.runOn(id, o.sshPort, []string{"systemctl", "status", "-l", name})
	}
	st, err := s.client.Status(s.ctx, name, id)
	if err != nil {
		s.errf("Error retrieving status of unit %s on %s: %v", name, s.legend(id, false), err)
		return exitFailed
	}
	if o.json {
		s.outf("%s", jsonText(st))
	} else {
		s.showStatus(st)
	}
	switch st.Active {
	case "active", "reloading":
		return exitOK
	}
	// As systemctl: the unit isn't active.
	return 3
}

// showStatus writes what a machine says of a unit in the form of systemctl.
func (s *session) showStatus(st *fleetclient.Status) {
	title := st.Name
	if st.Description != "" && st.Description != st.Name {
		title += " - " + st.Description
	}
	s.outf("%s", title)
	field := func(name, format string, args ...any) { s.outf("%9s: "+format, append([]any{name}, args...)...) }
	field("Loaded", "%s", orDash(st.Load))
	active := fmt.Sprintf("%s (%s)", orDash(st.Active), orDash(st.Sub))
	if st.Result != "" && st.Result != "success" {
		active += fmt.Sprintf(" (Result: %s)", st.Result)
	}
	if !st.Since.IsZero() {
		active += fmt.Sprintf(" since %s; %s ago", st.Since.Local().Format("Mon 2006-01-02 15:04:05 MST"), age(s.sys.now().Sub(st.Since)))
	}
	field("Active", "%s", active)
	field("Machine", "%s", s.legend(st.MachineID, false))
	if st.Job != "" {
		field("Job", "%s", st.Job)
	}
	if st.MainPID != 0 {
		field("Main PID", "%d", st.MainPID)
	}
	if st.Exit != "" {
		field("Exit", "%s", st.Exit)
	}
	if st.Restarts != 0 {
		field("Restarts", "%d", st.Restarts)
	}
	if st.Text != "" {
		field("Status", "%q", st.Text)
	}
	if len(st.Lines) > 0 {
		s.outf("")
	}
	for _, l := range st.Lines {
		s.outf("%s", s.journalLine("short", st.MachineID, l))
	}
}

// age writes a span in at most two units.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dmin %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh %dmin", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
}

// forms are those that a journal can be written in.
var forms = []string{"short", "short-iso", "short-precise", "cat", "json"}

func (s *session) journal(o *showing, args []string) int {
	u, ok := s.one(args, ".")
	switch {
	case !ok && u != nil:
		s.errf("%s %s does not exist.", s.words.unit, u.Name)
		return exitFailed
	case !ok:
		return exitFailed
	case o.lines < 0:
		s.errf("--lines: %d is less than 0", o.lines)
		return exitUsage
	case !isGlobal(u) && u.CurrentState == fleetclient.Inactive && len(u.Places) == 0:
		s.errf("%s %s does not appear to be running.", s.words.unit, u.Name)
		return exitFailed
	case s.client.Extended() && !slices.Contains(forms, o.output):
		s.errf("--output: %q is none of %s", o.output, strings.Join(forms, ", "))
		return exitUsage
	}
	ids, err := s.machinesOf(u, o.machine)
	switch {
	case err != nil:
		s.errf("Error retrieving journal of unit %s: %v", u.Name, err)
		return exitFailed
	case len(ids) == 0:
		s.errf("%s %s does not appear to be running.", s.words.unit, u.Name)
		return exitFailed
	case !s.client.Extended():
		return s.remoteJournal(o, u.Name, ids)
	}
	return s.readJournal(o, u.Name)
}

// remoteJournal reads a journal by ssh, or here if the machine is this one.
func (s *session) remoteJournal(o *showing, name string, ids []string) int {
	argv := []string{"journalctl", "--unit", name, "--no-pager", "-n", strconv.Itoa(o.lines), "--output", o.output}
	if o.follow {
		argv = append(argv, "-f")
	}
	if o.sudo {
		argv = append([]string{"sudo"}, argv...)
	}
	id := ids[0]
	if here := s.sys.machineID(); slices.Contains(ids, here) {
		id = here
	}
	return s.runOn(id, o.sshPort, argv)
}

// readJournal reads a journal through the cluster. One that is followed goes on
// after its connection was lost, and with its unit to another machine.
func (s *session) readJournal(o *showing, name string) int {
	read := fleetclient.JournalOptions{Machine: o.machine, Lines: o.lines, Follow: o.follow}
	from := ""
	for {
		last, err := s.copyJournal(o, name, &read, &from)
		switch {
		case s.ctx.Err() != nil:
			return exitFailed
		case err == nil && !o.follow:
			return exitOK
		case err != nil && (from == "" || !o.follow || errors.Is(err, errOutput)):
			s.errf("Error retrieving journal of unit %s: %v", name, err)
			return exitFailed
		}
		read.After = max(read.After, last)
		s.sleep(2 * poll)
		if s.hasMoved(name, o.machine, read.Machine) {
			read.Machine, read.After = o.machine, 0
		}
	}
}

// hasMoved tells whether a unit is on machines, and none of them is the one.
func (s *session) hasMoved(name, begin, id string) bool {
	u, _, err := s.client.Unit(s.ctx, name, fleetclient.Reading{Details: true})
	if err != nil {
		return false
	}
	ids, err := s.machinesOf(u, begin)
	return err == nil && len(ids) > 0 && !slices.Contains(ids, id)
}

// errOutput is of lines that nobody takes.
var errOutput = errors.New("writing")

// copyJournal writes lines as they come, and returns the number of the last one. From is
// the machine that the lines before came from, and becomes the one that these do.
func (s *session) copyJournal(o *showing, name string, read *fleetclient.JournalOptions, from *string) (last uint64, err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	j, err := s.client.Journal(ctx, name, *read)
	if err != nil {
		return 0, err
	}
	defer j.Close()
	if *from != "" && *from != j.Machine {
		s.errf("-- %s is on %s now --", name, s.legend(j.Machine, false))
	}
	*from, read.Machine = j.Machine, j.Machine
	for {
		line, err := j.Next()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		if _, err := fmt.Fprintln(s.env.Stdout, s.journalLine(o.output, j.Machine, line)); err != nil {
			return last, fmt.Errorf("%w: %w", errOutput, err)
		}
		last = line.Number
	}
}

// journalLine writes a line of a journal as journalctl would.
func (s *session) journalLine(form, machine string, l fleetclient.Line) string {
	host := s.machine(machine).Name
	if host == "" {
		host = machine[:min(8, len(machine))]
	}
	stamp := time.Stamp
	switch form {
	case "cat":
		return l.Text
	case "json":
		return jsonLine(l, machine)
	case "short-iso":
		stamp = "2006-01-02T15:04:05-0700"
	case "short-precise":
		stamp = time.StampMicro
	}
	return fmt.Sprintf("%s %s %s: %s", l.Time.Local().Format(stamp), host, l.Source, l.Text)
}

// jsonLine writes a journal's line as JSON.
func jsonLine(l fleetclient.Line, machine string) string {
	return jsonText(struct {
		fleetclient.Line
		MachineID string `json:"machineID"`
	}{l, machine})
}

// jsonText writes a value on one line.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
