package supervise_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"drydock/node/supervise"
)

// define reads the few options that scripts need, a line each.
func define(name, text string) (supervise.Unit, error) {
	u := supervise.Unit{Name: name}
	switch {
	case strings.HasSuffix(name, ".service"):
		u.Service = supervise.NewService()
		u.StartLimitInterval, u.StartLimitBurst = 10*time.Second, 5
	case strings.HasSuffix(name, ".timer"):
		u.Timer = &supervise.Timer{Unit: strings.TrimSuffix(name, ".timer") + ".service", RemainAfterElapse: true}
	case strings.HasSuffix(name, ".socket"):
		u.Socket = &supervise.Socket{Unit: strings.TrimSuffix(name, ".socket") + ".service"}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key == "" {
			continue
		}
		if !unitOption(&u, key, value) && (u.Service == nil || !serviceOption(u.Service, key, value)) &&
			(u.Timer == nil || !timerOption(u.Timer, key, value)) && (u.Socket == nil || key != "ListenStream") {
			return u, fmt.Errorf("no option %q for scripts", key)
		}
		if key == "ListenStream" {
			u.Socket.Streams = append(u.Socket.Streams, value)
		}
	}
	return u, nil
}

func unitOption(u *supervise.Unit, key, value string) bool {
	lists := map[string]*[]string{
		"After": &u.After, "Before": &u.Before, "Requires": &u.Requires, "BindsTo": &u.BindsTo, "Requisite": &u.Requisite,
		"Wants": &u.Wants, "PartOf": &u.PartOf, "Conflicts": &u.Conflicts, "OnFailure": &u.OnFailure,
	}
	if list, ok := lists[key]; ok {
		*list = append(*list, strings.Fields(value)...)
		return true
	}
	switch key {
	case "StartLimitBurst":
		u.StartLimitBurst, _ = strconv.Atoi(value)
	default:
		return false
	}
	return true
}

func serviceOption(s *supervise.Service, key, value string) bool {
	commands := map[string]*[]supervise.Command{
		"ExecStartPre": &s.Pre, "ExecStart": &s.Start, "ExecStartPost": &s.Post,
		"ExecReload": &s.Reload, "ExecStop": &s.Stop, "ExecStopPost": &s.StopPost,
	}
	spans := map[string]*time.Duration{
		"RestartSec": &s.RestartSec, "TimeoutStartSec": &s.TimeoutStart, "TimeoutStopSec": &s.TimeoutStop,
		"RuntimeMaxSec": &s.RuntimeMax, "WatchdogSec": &s.Watchdog,
	}
	if list, ok := commands[key]; ok {
		*list = append(*list, command(value))
		return true
	}
	if span, ok := spans[key]; ok {
		*span = spanOf(value)
		return true
	}
	switch key {
	case "Type":
		s.Type = supervise.Type(value)
		if s.Type == supervise.Notify {
			s.NotifyAccess = supervise.AccessMain
		}
	case "Restart":
		s.Restart = supervise.Restart(value)
	case "RemainAfterExit":
		s.RemainAfterExit = value == "yes"
	case "KillMode":
		s.KillMode = supervise.KillMode(value)
	case "KillSignal":
		s.KillSignal = supervise.Signal(value)
	case "SendSIGHUP":
		s.SendSIGHUP = value == "yes"
	case "SendSIGKILL":
		s.SendSIGKILL = value == "yes"
	case "NotifyAccess":
		s.NotifyAccess = supervise.Access(value)
	case "PIDFile":
		s.PIDFile = value
	case "SuccessExitStatus":
		s.Success = ends(value)
	case "RestartPreventExitStatus":
		s.RestartPrevent = ends(value)
	case "RestartForceExitStatus":
		s.RestartForce = ends(value)
	default:
		return false
	}
	return true
}

func timerOption(t *supervise.Timer, key, value string) bool {
	spans := map[string]*[]time.Duration{
		"OnActiveSec": &t.OnActive, "OnBootSec": &t.OnBoot,
		"OnUnitActiveSec": &t.OnUnitActive, "OnUnitInactiveSec": &t.OnUnitInactive,
	}
	if list, ok := spans[key]; ok {
		*list = append(*list, spanOf(value))
		return true
	}
	switch key {
	case "OnCalendar":
		c, err := supervise.ParseCalendar(value)
		t.OnCalendar = append(t.OnCalendar, c)
		return err == nil
	case "RemainAfterElapse":
		t.RemainAfterElapse = value == "yes"
		return true
	}
	return false
}

func command(text string) supervise.Command {
	rest, ignore := strings.CutPrefix(text, "-")
	args := strings.Fields(rest)
	return supervise.Command{Path: args[0], Args: args, IgnoreFailure: ignore}
}

func spanOf(text string) time.Duration {
	if text == "infinity" {
		return supervise.Infinity
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return span
}

func ends(text string) supervise.ExitSet {
	var set supervise.ExitSet
	for _, w := range strings.Fields(text) {
		if code, err := strconv.Atoi(w); err == nil {
			set.Codes = append(set.Codes, code)
		} else {
			set.Signals = append(set.Signals, supervise.Signal(w))
		}
	}
	return set
}
