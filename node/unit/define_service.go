package unit

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serviceOptions are those of [Service] that say how a service comes and goes.
var serviceOptions = []option{
	{"Type", serviceType},
	{"ExecStartPre", commands(func(s *Service) *[]Command { return &s.Pre })},
	{"ExecStart", commands(func(s *Service) *[]Command { return &s.Start })},
	{"ExecStartPost", commands(func(s *Service) *[]Command { return &s.Post })},
	{"ExecReload", commands(func(s *Service) *[]Command { return &s.Reload })},
	{"ExecStop", commands(func(s *Service) *[]Command { return &s.Stop })},
	{"ExecStopPost", commands(func(s *Service) *[]Command { return &s.StopPost })},
	{"Restart", choice(func(d *definer) *Restart { return &d.d.Service.Restart }, RestartNo, RestartNo, RestartAlways,
		RestartOnSuccess, RestartOnFailure, RestartOnAbnormal, RestartOnAbort, RestartOnWatchdog)},
	{"RestartSec", span(func(d *definer) *time.Duration { return &d.d.Service.RestartWait }, 100*time.Millisecond, 0)},
	{"TimeoutSec", func(d *definer, v string) error {
		return cmp.Or(timeoutStart(d, v), timeoutStop(d, v))
	}},
	{"TimeoutStartSec", timeoutStart},
	{"TimeoutStopSec", timeoutStop},
	{"RuntimeMaxSec", span(func(d *definer) *time.Duration { return &d.d.Service.RuntimeMax }, Infinity, Infinity)},
	{"WatchdogSec", func(d *definer, v string) error {
		err := span(func(d *definer) *time.Duration { return &d.d.Service.Watchdog }, 0, 0)(d, v)
		if d.d.Service.Watchdog == Infinity {
			d.d.Service.Watchdog = 0
		}
		return err
	}},
	{"StartLimitInterval", startLimitInterval},
	{"StartLimitBurst", startLimitBurst},
	{"StartLimitAction", only("none")},
	{"FailureAction", only("none")},
	{"RemainAfterExit", boolean(func(d *definer) *bool { return &d.d.Service.RemainAfterExit }, false)},
	{"GuessMainPID", only("yes", "1", "true", "on")},
	{"KillMode", choice(func(d *definer) *KillMode { return &d.d.Service.KillMode }, KillControlGroup,
		KillControlGroup, KillMixed, KillProcess, KillNone)},
	{"KillSignal", func(d *definer, v string) (err error) {
		if v == "" {
			v = "SIGTERM"
		}
		d.d.Service.KillSignal, err = parseSignal(v)
		return err
	}},
	{"SendSIGHUP", boolean(func(d *definer) *bool { return &d.d.Service.SendSIGHUP }, false)},
	{"SendSIGKILL", boolean(func(d *definer) *bool { return &d.d.Service.SendSIGKILL }, true)},
	{"SuccessExitStatus", exits(func(s *Service) *ExitSet { return &s.Success })},
	{"RestartPreventExitStatus", exits(func(s *Service) *ExitSet { return &s.RestartPrevent })},
	{"RestartForceExitStatus", exits(func(s *Service) *ExitSet { return &s.RestartForce })},
	{"NotifyAccess", func(d *definer, v string) error {
		d.notifying = v != ""
		return choice(func(d *definer) *Access { return &d.d.Service.NotifyAccess }, AccessNone,
			AccessNone, AccessMain, AccessExec, AccessAll)(d, v)
	}},
	{"PIDFile", func(d *definer, v string) error {
		v, err := d.expand(v)
		if v != "" && !path.IsAbs(v) {
			v = path.Join("/run", v)
		}
		d.d.Service.PIDFile = v
		return err
	}},
	{"Sockets", list(func(d *definer) *[]string { return &d.d.Service.Sockets }, func(s string) error {
		if n, err := ParseName(s); err != nil || n.Type() != "socket" {
			return fmt.Errorf("%s is no socket unit's name", quote(s))
		}
		return nil
	})},
	{"PermissionsStartOnly", boolean(func(d *definer) *bool { return &d.onlyStart }, false)},
	{"NonBlocking", only("no", "0", "false", "off")},
}

// serviceType takes idle for simple: what tells them apart is the order of the
// messages on a console.
func serviceType(d *definer, v string) error {
	d.typed = v != ""
	switch v {
	case "dbus", "notify-reload":
		d.unsupported = "Type=" + v
		return nil
	case "idle":
		d.remark = "is taken for simple"
		v = string(Simple)
	}
	return choice(func(d *definer) *Type { return &d.d.Service.Type }, Simple,
		Simple, Exec, Oneshot, Forking, Notify)(d, v)
}

const defaultTimeout = 90 * time.Second

func timeoutStart(d *definer, v string) error {
	d.timedOut = v != ""
	return span(func(d *definer) *time.Duration { return &d.d.Service.TimeoutStart }, defaultTimeout, Infinity)(d, v)
}

func timeoutStop(d *definer, v string) error {
	return span(func(d *definer) *time.Duration { return &d.d.Service.TimeoutStop }, defaultTimeout, Infinity)(d, v)
}

// commands makes a reader of an Exec option. An empty value takes all back.
func commands(to func(s *Service) *[]Command) reader {
	return func(d *definer, v string) error {
		target := to(d.d.Service)
		if v == "" {
			*target = nil
			return nil
		}
		parsed, err := parseCommands(v, d.unit.name, d.facts)
		if err != nil {
			return err
		}
		if words, _ := splitWords(v); slices.ContainsFunc(words, func(w word) bool { return w.odd }) {
			d.remark = `has an escape that isn't known, which stays as it is; write \\ for a backslash`
		}
		*target = append(*target, parsed...)
		return nil
	}
}

// exits makes a reader of ways to end.
func exits(to func(s *Service) *ExitSet) reader {
	return func(d *definer, v string) error {
		target := to(d.d.Service)
		if v == "" {
			*target = ExitSet{}
		}
		for word := range strings.FieldsSeq(v) {
			if err := target.add(word); err != nil {
				return err
			}
		}
		return nil
	}
}

// contextOptions are those of [Service] that say what its processes find.
var contextOptions = []option{
	{"Environment", list(func(d *definer) *[]string { return &d.d.Service.Context.Environment }, func(s string) error {
		if name, _, ok := strings.Cut(s, "="); !ok || !isVariable(name) {
			return fmt.Errorf("%s is not written NAME=value", quote(s))
		}
		return nil
	})},
	{"EnvironmentFile", func(d *definer, v string) error {
		files := &d.d.Service.Context.EnvironmentFiles
		if v == "" {
			*files = nil
			return nil
		}
		v, err := d.expand(v)
		if err == nil {
			err = absolute(strings.TrimPrefix(v, "-"))
		}
		*files = append(*files, v)
		return err
	}},
	{"PassEnvironment", list(func(d *definer) *[]string { return &d.d.Service.Context.PassEnvironment }, variableName)},
	{"UnsetEnvironment", list(func(d *definer) *[]string { return &d.d.Service.Context.UnsetEnvironment }, anything)},
	{"WorkingDirectory", text(func(d *definer) *string { return &d.d.Service.Context.WorkingDirectory }, directory)},
	{"User", text(func(d *definer) *string { return &d.d.Service.Context.User }, account)},
	{"Group", text(func(d *definer) *string { return &d.d.Service.Context.Group }, account)},
	{"SupplementaryGroups", list(func(d *definer) *[]string { return &d.d.Service.Context.SupplementaryGroups }, account)},
	{"UMask", func(d *definer, v string) (err error) {
		if v == "" {
			v = "0022"
		}
		d.d.Service.Context.UMask, err = parseMode(v)
		return err
	}},
	{"Nice", func(d *definer, v string) error {
		return bounded(v, -20, 19, func(n int) { d.d.Service.Context.Nice = n })
	}},
	{"OOMScoreAdjust", func(d *definer, v string) error {
		return bounded(v, -1000, 1000, func(n int) { d.d.Service.Context.OOMScoreAdjust = &n })
	}},
	{"StandardInput", func(d *definer, v string) error {
		return stream(d, v, &d.d.Service.Context.StandardInput, "null", []string{"null"}, []string{"file:"})
	}},
	{"StandardOutput", func(d *definer, v string) error {
		return output(d, v, &d.d.Service.Context.StandardOutput, "journal")
	}},
	{"StandardError", func(d *definer, v string) error {
		return output(d, v, &d.d.Service.Context.StandardError, "inherit")
	}},
	{"SyslogIdentifier", text(func(d *definer) *string { return &d.d.Service.Context.SyslogIdentifier }, anything)},
	{"SyslogFacility", harmless},
	{"SyslogLevel", harmless},
	{"SyslogLevelPrefix", harmless},
	{"MemoryMax", memoryMax},
	{"MemoryLimit", memoryMax},
	{"TasksMax", func(d *definer, v string) error {
		return cgroupLimit(d, v, &d.d.Service.Context.TasksMax, func(s string) (int64, error) { return scaled(s, 1) })
	}},
	{"CPUQuota", func(d *definer, v string) error {
		digits, ok := strings.CutSuffix(v, "%")
		n, err := scaled(digits, 1)
		if v != "" && (!ok || err != nil || n == 0 || n > math.MaxInt32) {
			return fmt.Errorf("%s is no share of a core such as 50%%", quote(v))
		}
		if strings.Contains(digits, ".") {
			d.remark = fmt.Sprintf("is taken for %d%%", n)
		}
		d.d.Service.Context.CPUQuota = int(n)
		return nil
	}},
	{"CPUAccounting", harmless},
	{"MemoryAccounting", harmless},
	{"TasksAccounting", harmless},
	{"IOAccounting", harmless},
	{"BlockIOAccounting", harmless},
	{"IPAccounting", harmless},
	{"TimerSlackNSec", harmless},
	{"IgnoreSIGPIPE", only("yes", "1", "true", "on")},
	{"Delegate", only("no", "0", "false", "off")},
	{"PrivateTmp", only("no", "0", "false", "off")},
	{"RootDirectory", only("/")},
}

// directory refuses what WorkingDirectory doesn't take.
func directory(s string) error {
	if s = strings.TrimPrefix(s, "-"); s == "~" {
		return nil
	}
	return absolute(s)
}

func variableName(s string) error {
	if !isVariable(s) {
		return fmt.Errorf("%s is no variable's name", quote(s))
	}
	return nil
}

// account refuses what can be neither a name nor a number of a user or group.
func account(s string) error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
	if strings.Trim(s, letters) != "" || s[0] == '-' || s[0] == '.' {
		return fmt.Errorf("%s is no name of a user or group", quote(s))
	}
	return nil
}

func bounded(v string, least, most int, set func(int)) error {
	n, err := strconv.Atoi(v)
	if v == "" {
		n, err = 0, nil
	}
	if err != nil || n < least || n > most {
		return fmt.Errorf("%s is no number from %d to %d", quote(v), least, most)
	}
	set(n)
	return nil
}

// output reads where output goes. What went to the system's log or console goes
// to the journal.
func output(d *definer, v string, to *string, def string) error {
	switch v {
	case "syslog", "kmsg", "journal+console", "syslog+console", "kmsg+console":
		d.remark = "is taken for journal"
		v = "journal"
	}
	return stream(d, v, to, def, []string{"inherit", "null", "journal"}, []string{"file:", "append:", "truncate:"})
}

// stream reads one of some words, or a path behind one of some prefixes.
func stream(d *definer, v string, to *string, def string, words, prefixes []string) error {
	v, err := d.expand(v)
	if err != nil {
		return err
	}
	if v == "" {
		v = def
	}
	for _, prefix := range prefixes {
		if file, ok := strings.CutPrefix(v, prefix); ok {
			*to = v
			return absolute(file)
		}
	}
	kind, _, _ := strings.Cut(v, ":")
	switch {
	case slices.Contains(words, v):
		*to = v
	case slices.Contains([]string{"tty", "tty-force", "tty-fail", "data", "socket", "fd", "inherit"}, kind):
		d.unsupported = v
	default:
		return fmt.Errorf("%s is none of %s", quote(v), strings.Join(append(words, prefixes...), ", "))
	}
	return nil
}

func memoryMax(d *definer, v string) error {
	return cgroupLimit(d, v, &d.d.Service.Context.MemoryMax, plainSize)
}

// cgroupLimit reads a bound of the control group; infinity is none.
func cgroupLimit(d *definer, v string, to *uint64, parse func(string) (int64, error)) error {
	switch {
	case v == "" || v == "infinity":
		*to = 0
		return nil
	case strings.HasSuffix(v, "%"):
		d.unsupported = "a share of the machine"
		return nil
	}
	n, err := parse(v)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s leaves nothing", quote(v))
	}
	*to = uint64(n)
	return err
}

// limitOptions are the resource limits, each by what it counts.
var limitOptions = slices.Concat(
	limits(plainSize, "FSIZE", "DATA", "STACK", "CORE", "RSS", "AS", "MEMLOCK", "MSGQUEUE"),
	limits(func(s string) (int64, error) { return scaled(s, 1) }, "NOFILE", "NPROC", "LOCKS", "SIGPENDING", "RTPRIO"),
	limits(spanIn(time.Second), "CPU"),
	limits(spanIn(time.Microsecond), "RTTIME"),
)

// spanIn makes a parser of time spans, counted in a unit; a bare number counts
// that unit, too.
func spanIn(unit time.Duration) func(string) (int64, error) {
	return func(s string) (int64, error) {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			return n, nil
		}
		t, err := parseSpan(s)
		return int64((t + unit - 1) / unit), err
	}
}

func limits(parse func(string) (int64, error), names ...string) []option {
	var options []option
	for _, name := range names {
		options = append(options, option{"Limit" + name, func(d *definer, v string) error {
			return setLimit(&d.d.Service.Context.Limits, name, v, parse)
		}})
	}
	return options
}

// setLimit reads SOFT:HARD, or one for both, in the place of an earlier limit of
// that name.
func setLimit(to *[]Limit, name, v string, parse func(string) (int64, error)) error {
	*to = slices.DeleteFunc(*to, func(l Limit) bool { return l.Name == name })
	if v == "" {
		return nil
	}
	one := func(s string) (uint64, error) {
		if s == "infinity" {
			return math.MaxUint64, nil
		}
		n, err := parse(s)
		return uint64(n), err
	}
	soft, hard, both := strings.Cut(v, ":")
	if !both {
		hard = soft
	}
	low, err := one(soft)
	high, err2 := one(hard)
	if err := cmp.Or(err, err2); err != nil {
		return err
	}
	if low > high {
		return fmt.Errorf("%s: the soft limit is above the hard one", quote(v))
	}
	*to = append(*to, Limit{name, low, high})
	return nil
}
