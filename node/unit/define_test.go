package unit_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		Type: unit.Simple, Restart: unit.RestartNo, RestartSec: 100 * time.Millisecond,
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
		"unless told otherwise": {"Type=notify\nNotifyAccess=all", func(s *unit.Service) { s.Type, s.NotifyAccess = unit.Notify, unit.AccessAll }},
		"restart": {"Restart=on-failure\nRestartSec=1min 30s\nStartLimitBurst=3", func(s *unit.Service) {
			s.Restart, s.RestartSec = unit.RestartOnFailure, 90*time.Second
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
		if diff := cmp.Diff(service(tc.want), d.Service); diff != "" || len(d.Unsupported) > 0 {
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
