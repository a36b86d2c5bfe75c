package unit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// definer fills a Definition from the options of systemd's sections.
type definer struct {
	unit     *Unit
	facts    Facts
	d        *Definition
	install  Install
	problems []Problem
	// typed, timedOut, notifying and onlyStart are options whose meaning waits
	// for others: Type was given, TimeoutStart was, NotifyAccess was, and
	// PermissionsStartOnly is on.
	typed, timedOut, notifying, onlyStart bool
	// unsupported is set by a reader that understood an option and can't honour it.
	unsupported string
	// remark is set by a reader that has something to say.
	remark string
}

// reader reads one option's value; an empty one takes back what was said before.
type reader func(d *definer, v string) error

// option is a name in a section.
type option struct {
	name string
	read reader
}

// harmless is the reader of options that ask the supervisor for nothing that it
// doesn't do anyway, or that are for people.
func harmless(*definer, string) error { return nil }

// sections are the tables of options, by section. In a unit of another type a
// section does nothing.
var sections = []struct {
	name, unitType string
	options        [][]option
}{
	{"Unit", "", [][]option{unitOptions}},
	{"Service", "service", [][]option{serviceOptions, contextOptions, limitOptions}},
	{"Timer", "timer", [][]option{timerOptions}},
	{"Socket", "socket", [][]option{socketOptions}},
	{"Install", "", [][]option{installOptions}},
}

// Define reads the sections of systemd's for a machine with these facts. What
// can't be read is an *Error that names each place; what the built-in supervisor
// can't honour is in the Definition, for whoever hands the unit to it to refuse.
func (u *Unit) Define(facts Facts) (*Definition, error) {
	d := &definer{unit: u, facts: facts, d: &Definition{
		Name: u.name.String(), StartLimitInterval: 10 * time.Second, StartLimitBurst: 5,
	}}
	d.begin()
	for _, o := range u.options {
		d.option(o)
	}
	d.finish()
	for _, list := range [][]Problem{d.problems, d.d.Unsupported, d.d.Remarks} {
		slices.SortStableFunc(list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	}
	if err := asError(d.problems); err != nil {
		return nil, err
	}
	return d.d, nil
}

// begin sets the defaults of the unit's type.
func (d *definer) begin() {
	switch d.unit.name.Type() {
	case "service":
		d.d.Service = newService()
	case "timer":
		d.d.Timer = &Timer{RemainAfterElapse: true}
	case "socket":
		d.d.Socket = &Socket{Backlog: 128, Mode: 0o666, Name: d.unit.name.String()}
	case "target":
	default:
		d.d.Unsupported = append(d.d.Unsupported, Problem{
			What: fmt.Sprintf("the supervisor has no units of the type %s", d.unit.name.Type()),
			Hint: "it has service, socket, target and timer",
		})
	}
}

func newService() *Service {
	return &Service{
		Type: Simple, Restart: RestartNo, RestartWait: 100 * time.Millisecond,
		TimeoutStart: 90 * time.Second, TimeoutStop: 90 * time.Second, RuntimeMax: Infinity,
		KillMode: KillControlGroup, KillSignal: "SIGTERM", SendSIGKILL: true, NotifyAccess: AccessNone,
		Context: Context{UMask: 0o022, StandardInput: "null", StandardOutput: "journal", StandardError: "inherit"},
	}
}

// option reads one option, wherever it stands.
func (d *definer) option(o Option) {
	if o.Section == FleetSection || strings.HasPrefix(o.Section, "X-") || strings.HasPrefix(o.Name, "X-") || o.Name == "" {
		return
	}
	i := slices.IndexFunc(sections, func(s struct {
		name, unitType string
		options        [][]option
	},
	) bool {
		return s.name == o.Section
	})
	switch {
	case i < 0 && strings.EqualFold(o.Section, d.unit.name.Type()):
		return // of a type that is unsupported as a whole
	case i < 0:
		d.d.Remarks = append(d.d.Remarks, at(o, "does nothing: nobody reads this section"))
		return
	case sections[i].unitType != "" && sections[i].unitType != d.unit.name.Type():
		p := at(o, "does nothing: the section is for units of the type %s", sections[i].unitType)
		d.d.Remarks = append(d.d.Remarks, p)
		return
	}
	meant := ""
	for _, table := range sections[i].options {
		for _, known := range table {
			if known.name == o.Name {
				d.read(o, known.read)
				return
			}
			if strings.EqualFold(known.name, o.Name) {
				meant = known.name
			}
		}
	}
	p := at(o, "the supervisor has no such option")
	if meant != "" {
		p = p.hint("did you mean %s?", meant)
	}
	d.d.Unsupported = append(d.d.Unsupported, p)
}

// read hands an option to its reader, and files what that says.
func (d *definer) read(o Option, read reader) {
	d.unsupported, d.remark = "", ""
	if err := read(d, joinLines(o.Value)); err != nil {
		d.problems = append(d.problems, at(o, "%v", err))
		return
	}
	if d.unsupported != "" {
		d.d.Unsupported = append(d.d.Unsupported, at(o, "the supervisor can't honour %s", d.unsupported))
	}
	if d.remark != "" {
		d.d.Remarks = append(d.d.Remarks, at(o, "%s", d.remark))
	}
}

// finish checks what options say together, and settles what waited for it.
func (d *definer) finish() {
	for _, o := range d.unit.options {
		if o.Section == "Install" {
			d.d.Install = &d.install
		}
	}
	if d.d.Description == "" {
		d.d.Description = d.d.Name
	}
	if len(d.problems) > 0 {
		return // what is missing may be among them
	}
	if d.d.Service != nil {
		d.finishService(d.d.Service)
	}
	if t := d.d.Timer; t != nil && t.Unit == "" {
		t.Unit = d.unit.name.Stem() + ".service"
	}
	if s := d.d.Socket; s != nil && s.Unit == "" {
		s.Unit = d.unit.name.Stem() + ".service"
	}
	if t := d.d.Timer; t != nil &&
		len(t.OnActive)+len(t.OnBoot)+len(t.OnUnitActive)+len(t.OnUnitInactive)+len(t.OnCalendar) == 0 {
		d.refuse("Timer", "the timer never elapses: it has none of OnActiveSec, OnBootSec, OnUnitActiveSec, "+
			"OnUnitInactiveSec and OnCalendar")
	}
	if s := d.d.Socket; s != nil && len(s.Streams)+len(s.Datagrams) == 0 && len(d.d.Unsupported) == 0 {
		d.refuse("Socket", "the socket listens nowhere: it has neither ListenStream nor ListenDatagram")
	}
}

func (d *definer) finishService(s *Service) {
	if !d.typed && len(s.Start) == 0 {
		s.Type = Oneshot
	}
	if s.Type == Oneshot && !d.timedOut {
		s.TimeoutStart = Infinity
	}
	if !d.notifying && (s.Type == Notify || s.Watchdog > 0) {
		s.NotifyAccess = AccessMain
	}
	if d.onlyStart {
		for _, commands := range [][]Command{s.Pre, s.Post, s.Reload, s.Stop, s.StopPost} {
			for i := range commands {
				commands[i].Privileged = true
			}
		}
	}
	switch {
	case len(s.Start)+len(s.Stop) == 0:
		d.refuse("Service", "has no ExecStart")
	case len(s.Start) == 0 && !s.RemainAfterExit:
		d.refuse("Service", "has no ExecStart, which only RemainAfterExit=yes makes up for")
	case len(s.Start) > 1 && s.Type != Oneshot:
		d.refuse("Service", "has more than one ExecStart, which is for Type=oneshot alone")
	case s.Type == Oneshot && (s.Restart == RestartAlways || s.Restart == RestartOnSuccess):
		d.refuse("Service", fmt.Sprintf("Restart=%s isn't for Type=oneshot", s.Restart))
	}
}

// refuse files a problem with a section as a whole.
func (d *definer) refuse(section, what string) {
	line := 0
	for _, o := range d.unit.options {
		if o.Section == section {
			line = o.Line
			break
		}
	}
	d.problems = append(d.problems, Problem{Line: line, Section: section, What: what})
}

// expand replaces specifiers.
func (d *definer) expand(s string) (string, error) { return Expand(s, d.unit.name, d.facts) }

// list makes a reader of words, each checked. An empty value takes all back.
func list(to func(d *definer) *[]string, check func(string) error) reader {
	return func(d *definer, v string) error {
		target := to(d)
		if v == "" {
			*target = nil
			return nil
		}
		words, err := splitWords(v)
		if err != nil {
			return err
		}
		for _, w := range words {
			text, err := d.expand(w.text)
			if err == nil {
				err = check(text)
			}
			if err != nil {
				return err
			}
			*target = append(*target, text)
		}
		return nil
	}
}

// units makes a reader of unit names.
func units(to func(d *Definition) *[]string) reader {
	return list(func(d *definer) *[]string { return to(d.d) }, func(s string) error {
		_, err := ParseName(s)
		if err != nil {
			return fmt.Errorf("%s: %w", quote(s), err)
		}
		return nil
	})
}

func anything(string) error { return nil }

// choice makes a reader of one word out of several; def is what an empty value
// means.
func choice[T ~string](to func(d *definer) *T, def T, words ...T) reader {
	return func(d *definer, v string) error {
		if v == "" {
			*to(d) = def
			return nil
		}
		if !slices.Contains(words, T(v)) {
			return fmt.Errorf("%s is none of %s", quote(v), join(words))
		}
		*to(d) = T(v)
		return nil
	}
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// boolean makes a reader of yes and no; an empty value means def.
func boolean(to func(d *definer) *bool, def bool) reader {
	return func(d *definer, v string) (err error) {
		if v == "" {
			*to(d) = def
			return nil
		}
		*to(d), err = parseBool(v)
		return err
	}
}

// text makes a reader of a string with specifiers, checked unless it is empty.
func text(to func(d *definer) *string, check func(string) error) reader {
	return func(d *definer, v string) (err error) {
		if v, err = d.expand(v); err == nil && v != "" {
			err = check(v)
		}
		if err == nil {
			*to(d) = v
		}
		return err
	}
}

// span makes a reader of a time span; none maps 0, which for some options means
// that there is no bound.
func span(to func(d *definer) *time.Duration, def, zero time.Duration) reader {
	return func(d *definer, v string) (err error) {
		if v == "" {
			*to(d) = def
			return nil
		}
		t, err := parseSpan(v)
		if err == nil && t == 0 {
			t = zero
		}
		if err == nil {
			*to(d) = t
		}
		return err
	}
}

// only makes a reader of an option that the supervisor honours at one value of
// it, its default.
func only(values ...string) reader {
	return func(d *definer, v string) error {
		if v != "" && !slices.Contains(values, strings.ToLower(v)) {
			d.unsupported = fmt.Sprintf("%s, only %s", v, values[0])
		}
		return nil
	}
}

// absolute refuses what isn't an absolute path.
func absolute(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("%s is no absolute path", quote(s))
	}
	return nil
}
