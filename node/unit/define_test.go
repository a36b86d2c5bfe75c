package unit_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/node/unit"
)

func define(t *testing.T, name, text string) (*unit.Definition, error) {
	t.Helper()
	u, err := unit.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return u.Define(unit.Facts{MachineID: "0123456789abcdef0123456789abcdef", Hostname: "core1.example.org", Home: "/var/core", User: "core"})
}

// service returns a service with systemd's defaults and one command.
func service(change func(*unit.Service)) *unit.Service {
	s := &unit.Service{
		Type: unit.Simple, Restart: unit.RestartNo, RestartWait: 100 * time.Millisecond,
		Start:        []unit.Command{{Path: "/bin/true", Args: []string{"/bin/true"}}},
		TimeoutStart: 90 * time.Second, TimeoutStop: 90 * time.Second, RuntimeMax: unit.Infinity,
		KillMode: unit.KillControlGroup, KillSignal: "SIGTERM", SendSIGKILL: true, NotifyAccess: unit.AccessNone,
		Context: unit.Context{UMask: 0o022, StandardInput: "null", StandardOutput: "journal", StandardError: "inherit"},
	}
	change(s)
	return s
}

func TestDefineService(t *testing.T) {
	score := -500
	for name, tc := range map[string]struct {
		text string
		want func(*unit.Service)
	}{
		"defaults": {"", func(*unit.Service) {}},
		"no type and no start is a oneshot": {"ExecStart=\nExecStop=/bin/true\nRemainAfterExit=yes", func(s *unit.Service) {
			s.Type, s.Stop, s.Start, s.RemainAfterExit, s.TimeoutStart = unit.Oneshot, s.Start, nil, true, unit.Infinity
		}},
		"oneshot waits for ever": {"Type=oneshot", func(s *unit.Service) { s.Type, s.TimeoutStart = unit.Oneshot, unit.Infinity }},
		"unless told": {"Type=oneshot\nTimeoutSec=5", func(s *unit.Service) {
			s.Type, s.TimeoutStart, s.TimeoutStop = unit.Oneshot, 5*time.Second, 5*time.Second
		}},
		"zero is no bound": {"TimeoutStartSec=0\nTimeoutStopSec=infinity", func(s *unit.Service) { s.TimeoutStart, s.TimeoutStop = unit.Infinity, unit.Infinity }},
		"notify listens to main": {"Type=notify\nWatchdogSec=10", func(s *unit.Service) {
			s.Type, s.Watchdog, s.NotifyAccess = unit.Notify, 10*time.Second, unit.AccessMain
		}},
		"a type stays": {"Type=simple\nExecStart=\nExecStop=/bin/true\nRemainAfterExit=yes", func(s *unit.Service) {
			s.Stop, s.Start, s.RemainAfterExit = s.Start, nil, true
		}},
		"no watchdog": {"WatchdogSec=infinity", func(*unit.Service) {}},
		"empty takes back": {
			"Type=oneshot\nType=\nRestart=always\nRestart=\nRestartSec=5\nRestartSec=\nTimeoutSec=5\nTimeoutSec=\n" +
				"KillMode=none\nKillMode=\nKillSignal=HUP\nKillSignal=\nSendSIGKILL=no\nSendSIGKILL=\nSuccessExitStatus=1\n" +
				"SuccessExitStatus=\nNotifyAccess=all\nNotifyAccess=\nSendSIGHUP=yes\nSendSIGHUP=\nRemainAfterExit=yes\n" +
				"RemainAfterExit=\nRuntimeMaxSec=5\nRuntimeMaxSec=\nExecReload=/bin/a\nExecReload=\nExecStartPost=/bin/a\n" +
				"ExecStartPost=\nExecStopPost=/bin/a\nExecStopPost=\nEnvironmentFile=/a\nEnvironmentFile=\nUser=a\nUser=\n" +
				"UMask=0\nUMask=\nNice=5\nNice=\nStandardInput=file:/a\nStandardInput=\nStandardOutput=null\nStandardOutput=\n" +
				"LimitCORE=5\nLimitCORE=\nMemoryMax=5\nMemoryMax=\nTasksMax=5\nTasksMax=infinity\nCPUQuota=5%\nCPUQuota=\n" +
				"Sockets=a.socket\nSockets=\nUnsetEnvironment=A\nUnsetEnvironment=\nSupplementaryGroups=a\n" +
				"SupplementaryGroups=\nPassEnvironment=A\nPassEnvironment=\nWorkingDirectory=~\nWorkingDirectory=\n" +
				"SyslogIdentifier=a\nSyslogIdentifier=\nPIDFile=a\nPIDFile=",
			func(*unit.Service) {},
		},
		"unless told otherwise": {"Type=notify\nNotifyAccess=all", func(s *unit.Service) { s.Type, s.NotifyAccess = unit.Notify, unit.AccessAll }},
		"restart": {"Restart=on-failure\nRestartSec=1min 30s\nStartLimitBurst=3", func(s *unit.Service) {
			s.Restart, s.RestartWait = unit.RestartOnFailure, 90*time.Second
		}},
		"last wins": {"Restart=always\nRestart=no\nKillSignal=9\nKillSignal=INT", func(s *unit.Service) { s.KillSignal = "SIGINT" }},
		"exits": {"SuccessExitStatus=1 TEMPFAIL SIGKILL\nRestartPreventExitStatus=255 RTMIN+3", func(s *unit.Service) {
			s.Success = unit.ExitSet{Codes: []int{1, 75}, Signals: []unit.Signal{"SIGKILL"}}
			s.RestartPrevent = unit.ExitSet{Codes: []int{255}, Signals: []unit.Signal{"SIGRTMIN+3"}}
		}},
		"pid file": {"Type=forking\nPIDFile=%N.pid", func(s *unit.Service) { s.Type, s.PIDFile = unit.Forking, "/run/a@1.pid" }},
		"environment": {"Environment=A=1 \"B=two words\" 'C=%i'\nEnvironment=\nEnvironment=D=%H\nEnvironmentFile=-/etc/%p.env\nPassEnvironment=HOME", func(s *unit.Service) {
			s.Context.Environment, s.Context.EnvironmentFiles = []string{"D=core1.example.org"}, []string{"-/etc/a.env"}
			s.Context.PassEnvironment = []string{"HOME"}
		}},
		"context": {"User=core\nGroup=100\nWorkingDirectory=-%h/x\nUMask=077\nNice=-5\nOOMScoreAdjust=-500\nStandardError=append:/var/log/x", func(s *unit.Service) {
			s.Context.User, s.Context.Group, s.Context.WorkingDirectory = "core", "100", "-/var/core/x"
			s.Context.UMask, s.Context.Nice, s.Context.OOMScoreAdjust = 0o077, -5, &score
			s.Context.StandardError = "append:/var/log/x"
		}},
		"limits": {"LimitNOFILE=1024:4096\nLimitCORE=infinity\nLimitNPROC=5\nLimitNPROC=7\nLimitAS=1G\nLimitCPU=2min\nMemoryMax=512M\nTasksMax=10\nCPUQuota=150%", func(s *unit.Service) {
			s.Context.Limits = []unit.Limit{
				{Name: "NOFILE", Soft: 1024, Hard: 4096},
				{Name: "CORE", Soft: math.MaxUint64, Hard: math.MaxUint64},
				{Name: "NPROC", Soft: 7, Hard: 7},
				{Name: "AS", Soft: 1 << 30, Hard: 1 << 30},
				{Name: "CPU", Soft: 120, Hard: 120},
			}
			s.Context.MemoryMax, s.Context.TasksMax, s.Context.CPUQuota = 512<<20, 10, 150
		}},
		"root for all but the start": {"PermissionsStartOnly=true\nExecStartPre=/bin/x", func(s *unit.Service) {
			s.Pre = []unit.Command{{Path: "/bin/x", Args: []string{"/bin/x"}, Privileged: true}}
		}},
	} {
		d, err := define(t, "a@1.service", "[Service]\nExecStart=/bin/true\n"+tc.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(service(tc.want), d.Service, cmpopts.EquateEmpty()); diff != "" || len(d.Unsupported) > 0 {
			t.Errorf("%s: -want +got:\n%s%v", name, diff, d.Unsupported)
		}
	}
}

// TestDefineRefuses: what fleet's section takes for a size, systemd's don't.
func TestDefineRefuses(t *testing.T) {
	for _, line := range []string{
		"MemoryMax=512MB", "MemoryMax=1GiB", "MemoryMax=512 M", "LimitAS=1KB", "Sockets=a.service", "CPUQuota=0%", "CPUQuota=-5%",
		"TasksMax=many", "Type=", "RuntimeMaxSec=1.", "LimitNOFILE=1K", "LimitCPU=x", "PIDFile=%z", "KillMode=all", "NotifyAccess=sure",
	} {
		d, err := define(t, "a.service", "[Service]\nExecStart=/bin/true\n"+line+"\n")
		if _, ok := errors.AsType[unit.Problem](err); !ok != (line == "Type=") {
			t.Errorf("%s: %v, %v", line, d, err)
		}
	}
	d, err := define(t, "a.service", "[Service]\nExecStart=/bin/true\nCPUQuota=12.5%\nMemoryMax=512B\nTasksMax=10%\n")
	if err != nil || d.Service.Context.CPUQuota != 13 || len(d.Remarks) != 1 || d.Service.Context.MemoryMax != 512 || len(d.Unsupported) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestDefineUnit(t *testing.T) {
	text := "After=a.service b@%i.service\nBefore=c.target\nRequires=a.service\nRequisite=r.service\nBindTo=d.service\n" +
		"BindsTo=e.service\nWants=w.timer\nWants=\nWants=x.socket\nPartOf=p.target\nConflicts=shutdown.target\n" +
		"OnFailure=mail@%n.service\nDescription=about %i\nDocumentation=man:x\nStartLimitIntervalSec=1min\nStartLimitBurst=0\n"
	got, err := define(t, "u@1.target", "[Unit]\n"+text+"[Install]\nWantedBy=a.target b.target\nAlias=v.target\n")
	want := &unit.Definition{
		Name: "u@1.target", Description: "about 1", After: []string{"a.service", "b@1.service"}, Before: []string{"c.target"},
		Requires: []string{"a.service"}, Requisite: []string{"r.service"}, BindsTo: []string{"d.service", "e.service"},
		Wants: []string{"x.socket"}, PartOf: []string{"p.target"}, Conflicts: []string{"shutdown.target"},
		OnFailure: []string{"mail@u@1.target.service"}, StartLimitInterval: time.Minute,
		Install: &unit.Install{WantedBy: []string{"a.target", "b.target"}, Alias: []string{"v.target"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
	reset, err := define(t, "u.target", "[Unit]\nStartLimitIntervalSec=5\nStartLimitIntervalSec=\nStartLimitBurst=9\nStartLimitBurst=\n")
	if err != nil || reset.StartLimitInterval != 10*time.Second || reset.StartLimitBurst != 5 || reset.Description != "u.target" {
		t.Errorf("%+v, %v", reset, err)
	}
	for _, line := range []string{"After=x", "After=%z.service", "After=\"a.service", "StartLimitIntervalSec=x", "StartLimitBurst=x"} {
		if d, err := define(t, "u.target", "[Unit]\n"+line+"\n"); err == nil {
			t.Errorf("%s: %+v, want an error", line, d)
		}
	}
}

func TestDefineTimersAndSockets(t *testing.T) {
	d, err := define(t, "a.timer", "[Timer]\nOnBootSec=1\nOnActiveSec=\nOnActiveSec=2\nOnStartupSec=3\nOnUnitActiveSec=4\n"+
		"OnUnitInactiveSec=5\nOnUnitInactiveSec=6\nOnCalendar=Mon *-*-* %i00:00\nUnit=b.service\nRemainAfterElapse=no\n")
	timer := &unit.Timer{
		Unit: "b.service", OnActive: []time.Duration{2 * time.Second}, OnBoot: []time.Duration{3 * time.Second},
		OnUnitActive: []time.Duration{4 * time.Second}, OnUnitInactive: []time.Duration{5 * time.Second, 6 * time.Second},
		OnCalendar: []string{"Mon *-*-* 00:00"},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(timer, d.Timer); diff != "" {
		t.Error(diff)
	}
	d, err = define(t, "a.socket", "[Socket]\nListenStream=1\nListenStream=\nListenStream=127.0.0.1:80 [::]:81\nListenDatagram=/run/a\n"+
		"Backlog=5\nSocketMode=0600\nRemoveOnStop=yes\nFileDescriptorName=web\nService=\n")
	socket := &unit.Socket{
		Unit: "a.service", Streams: []string{"127.0.0.1:80", "[::]:81"}, Datagrams: []string{"/run/a"}, Backlog: 5, Mode: 0o600,
		RemoveOnStop: true, Name: "web",
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(socket, d.Socket); diff != "" {
		t.Error(diff)
	}
}
