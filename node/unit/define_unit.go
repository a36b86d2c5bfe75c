package unit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// unitOptions are those of [Unit].
var unitOptions = []option{
	{"Description", text(func(d *definer) *string { return &d.d.Description }, anything)},
	{"Documentation", harmless},
	{"SourcePath", harmless},
	{"After", units(func(d *Definition) *[]string { return &d.After })},
	{"Before", units(func(d *Definition) *[]string { return &d.Before })},
	{"Requires", units(func(d *Definition) *[]string { return &d.Requires })},
	{"Requisite", units(func(d *Definition) *[]string { return &d.Requisite })},
	{"BindsTo", units(func(d *Definition) *[]string { return &d.BindsTo })},
	{"BindTo", units(func(d *Definition) *[]string { return &d.BindsTo })},
	{"Wants", units(func(d *Definition) *[]string { return &d.Wants })},
	{"PartOf", units(func(d *Definition) *[]string { return &d.PartOf })},
	{"Conflicts", units(func(d *Definition) *[]string { return &d.Conflicts })},
	{"OnFailure", units(func(d *Definition) *[]string { return &d.OnFailure })},
	{"StartLimitIntervalSec", startLimitInterval},
	{"StartLimitInterval", startLimitInterval},
	{"StartLimitBurst", startLimitBurst},
	{"StartLimitAction", only("none")},
	{"FailureAction", only("none")},
	{"SuccessAction", only("none")},
	{"DefaultDependencies", harmless},
	{"IgnoreOnIsolate", harmless},
	{"AllowIsolate", harmless},
	{"CollectMode", harmless},
	{"RefuseManualStart", only("no", "0", "false", "off")},
	{"RefuseManualStop", only("no", "0", "false", "off")},
	{"StopWhenUnneeded", only("no", "0", "false", "off")},
}

func startLimitInterval(d *definer, v string) error {
	const systemdsDefault = 10 * time.Second
	return span(func(d *definer) *time.Duration { return &d.d.StartLimitInterval }, systemdsDefault, 0)(d, v)
}

func startLimitBurst(d *definer, v string) error {
	const systemdsDefault = 5
	if v == "" {
		d.d.StartLimitBurst = systemdsDefault
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return fmt.Errorf("%s is no number from 0 up", quote(v))
	}
	d.d.StartLimitBurst = int(n)
	return nil
}

// installOptions are those of [Install].
var installOptions = []option{
	{"WantedBy", list(func(d *definer) *[]string { return &d.install.WantedBy }, anything)},
	{"RequiredBy", list(func(d *definer) *[]string { return &d.install.RequiredBy }, anything)},
	{"Alias", list(func(d *definer) *[]string { return &d.install.Alias }, anything)},
	{"Also", list(func(d *definer) *[]string { return &d.install.Also }, anything)},
	{"DefaultInstance", harmless},
}

// timerOptions are those of [Timer].
var timerOptions = []option{
	{"Unit", text(func(d *definer) *string { return &d.d.Timer.Unit }, isUnit)},
	{"OnActiveSec", elapse(func(t *Timer) *[]time.Duration { return &t.OnActive })},
	{"OnBootSec", elapse(func(t *Timer) *[]time.Duration { return &t.OnBoot })},
	{"OnStartupSec", elapse(func(t *Timer) *[]time.Duration { return &t.OnBoot })},
	{"OnUnitActiveSec", elapse(func(t *Timer) *[]time.Duration { return &t.OnUnitActive })},
	{"OnUnitInactiveSec", elapse(func(t *Timer) *[]time.Duration { return &t.OnUnitInactive })},
	{"OnCalendar", func(d *definer, v string) error {
		if v == "" {
			d.d.Timer.clear()
			return nil
		}
		v, err := d.expand(v)
		d.d.Timer.OnCalendar = append(d.d.Timer.OnCalendar, v)
		return err
	}},
	{"RemainAfterElapse", boolean(func(d *definer) *bool { return &d.d.Timer.RemainAfterElapse }, true)},
	{"AccuracySec", harmless},
	{"Persistent", only("no", "0", "false", "off")},
	{"WakeSystem", only("no", "0", "false", "off")},
	{"RandomizedDelaySec", only("0", "0s", "0sec")},
}

// clear takes all moments back, which an empty value of any of them does.
func (t *Timer) clear() {
	t.OnActive, t.OnBoot, t.OnUnitActive, t.OnUnitInactive, t.OnCalendar = nil, nil, nil, nil, nil
}

// elapse makes a reader of one of the spans after which a timer elapses.
func elapse(to func(t *Timer) *[]time.Duration) reader {
	return func(d *definer, v string) error {
		if v == "" {
			d.d.Timer.clear()
			return nil
		}
		t, err := parseSpan(v)
		if err == nil {
			*to(d.d.Timer) = append(*to(d.d.Timer), t)
		}
		return err
	}
}

func isUnit(s string) error {
	if _, err := ParseName(s); err != nil {
		return fmt.Errorf("%s: %w", quote(s), err)
	}
	return nil
}

// socketOptions are those of [Socket].
var socketOptions = []option{
	{"ListenStream", list(func(d *definer) *[]string { return &d.d.Socket.Streams }, isAddress)},
	{"ListenDatagram", list(func(d *definer) *[]string { return &d.d.Socket.Datagrams }, isAddress)},
	{"Service", text(func(d *definer) *string { return &d.d.Socket.Unit }, isUnit)},
	{"Accept", only("no", "0", "false", "off")},
	{"Backlog", func(d *definer, v string) error {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return fmt.Errorf("%s is no number from 0 up", quote(v))
		}
		d.d.Socket.Backlog = int(n)
		return nil
	}},
	{"SocketMode", func(d *definer, v string) (err error) {
		d.d.Socket.Mode, err = parseMode(v)
		return err
	}},
	{"RemoveOnStop", boolean(func(d *definer) *bool { return &d.d.Socket.RemoveOnStop }, false)},
	{"FileDescriptorName", text(func(d *definer) *string { return &d.d.Socket.Name }, anything)},
	{"NoDelay", harmless},
	{"BindIPv6Only", only("default")},
}

// isAddress refuses what can't be listened at: a port, HOST:PORT, a path or an
// abstract name are fine.
func isAddress(s string) error {
	switch port := s[strings.LastIndexByte(s, ':')+1:]; {
	case strings.HasPrefix(s, "/"), strings.HasPrefix(s, "@") && len(s) > 1:
		return nil
	default:
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s is no address: a port, HOST:PORT or an absolute path", quote(s))
}

// parseMode reads permission bits in octal.
func parseMode(s string) (int, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("%s is no octal mode such as 0644", quote(s))
	}
	return int(n), nil
}
