package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drydock/node/machine/guard"
	"drydock/node/runtime"
	"drydock/node/runtime/docker"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"
	"drydock/node/runtime/systemd"
)

// What can run units.
const (
	Supervisor = "supervisor"
	Systemd    = "systemd"
)

// openTime is how long systemd may take to answer when a machine begins.
const openTime = 10 * time.Second

// ChooseRuntime says what runs units where nobody has: systemd, if it has started this
// node as a service of the system's, else the supervisor. A node that somebody starts
// by hand leaves the system's units alone, and several on one host don't meet.
func ChooseRuntime() string {
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	if err == nil && os.Getuid() == 0 && os.Getenv("INVOCATION_ID") != "" {
		return Systemd
	}
	return Supervisor
}

// runtimes is what the guard must know.
func (o *Options) runtimes() guard.Runtimes {
	units := filepath.Join(o.RunDir, guard.UnitsDir)
	if o.Runtime == Systemd {
		return guard.Runtimes{Systemd: units, SystemdAddress: o.SystemdAddress, Docker: units}
	}
	return guard.Runtimes{Supervisor: units, Groups: o.Groups, Docker: units}
}

// openRuntime opens what runs units, and finds what an earlier life has left there.
func (m *Machine) openRuntime() (runtime.Runtime, error) {
	units := filepath.Join(m.o.RunDir, guard.UnitsDir)
	facts := specifiers(&m.o.Self)
	opt := docker.Options{Dir: units, Facts: facts, Report: m.reported}
	switch m.o.Runtime {
	case "", Supervisor:
		return docker.Wrap(opt, func(report func(runtime.State)) (runtime.Runtime, error) {
			return supervisor.New(supervisor.Options{
				Dir: units, Groups: m.o.Groups, Facts: facts, Provided: provided,
				Report: report, Program: m.o.Program, Lease: m.keeper.LeaseOf,
			})
		})
	case Systemd:
		return docker.Wrap(opt, func(report func(runtime.State)) (runtime.Runtime, error) {
			ctx, cancel := context.WithTimeout(m.ctx, openTime)
			defer cancel()
			return systemd.New(ctx, systemd.Options{
				Address: m.o.SystemdAddress, Dir: units, Report: report, Allowed: m.allowed,
				UserUnits: strings.HasPrefix(m.o.SystemdAddress, "unix:path=/run/user/"),
			})
		})
	}
	return nil, fmt.Errorf("%w: there is no runtime %q: want %s or %s", ErrOptions, m.o.Runtime, Supervisor, Systemd)
}

// allowed says why a unit may not be started now; systemd doesn't look at the lease on
// a process's last step, as the supervisor does.
func (m *Machine) allowed(unit string) error {
	if m.keeper.LeaseOf(unit) == "" || m.keeper.Lease().Allows(lease.Now()) {
		return nil
	}
	return lease.ErrOver
}

// provided are units that every host is taken to have: who needs more of them than
// their names needs systemd.
var provided = []string{
	"basic.target", "sysinit.target", "multi-user.target", "default.target", "local-fs.target", "remote-fs.target",
	"network.target", "network-online.target", "nss-lookup.target", "time-sync.target", "sockets.target", "timers.target",
	"docker.service", "docker.socket", "early-docker.service", "etcd.service", "etcd2.service", "fleet.service", "flanneld.service",
	"systemd-journald.service", "systemd-networkd.service", "systemd-resolved.service", "dbus.service", "syslog.target",
}
