package cloudconfig

import (
	"fmt"
	"path"
	"strings"
)

// Plan is what is to be done on a machine, in the order of the fields.
type Plan struct {
	// Hostname is set first; "" leaves it.
	Hostname string
	Files    []File
	// Masks are paths that become links to /dev/null.
	Masks []string
	// Enable are units to enable; those of EnableRuntime until the next boot.
	Enable, EnableRuntime []string
	// Network says that networkd has new files, and is to read them.
	Network bool
	// Jobs are queued in order, once systemd has read all files; none is waited for,
	// since whoever carries the plan out may be a job that they wait for.
	Jobs []Job
}

// Job is something that systemd is asked to do to a unit.
type Job struct {
	Command, Unit string
}

// coreHome is the directory of the user core, and keysFile where sshd finds that
// user's keys beside those that were put on the machine in other ways.
const (
	coreHome = "/home/core"
	keysFile = coreHome + "/.ssh/authorized_keys.d/cloud-config"
)

// Plan says what is to be done for the configuration.
func (c *Config) Plan() *Plan {
	p := &Plan{Hostname: c.Hostname, Files: append([]File(nil), c.Files...)}
	if len(c.Keys) > 0 {
		p.Files = append(p.Files, File{Path: keysFile, Text: strings.Join(c.Keys, "\n") + "\n", Mode: 0o600, Owner: "core:core"})
	}
	for i := range c.Units {
		p.unit(&c.Units[i])
	}
	p.environment("etcd.service", "20-cloudinit.conf", "ETCD_", c.Etcd)
	p.environment("fleet.service", "20-cloudinit.conf", "FLEET_", c.Fleet)
	// One process is both: what fleet is told, it must be told where that is started.
	p.environment("etcd.service", "20-cloudinit-fleet.conf", "FLEET_", c.Fleet)
	return p
}

// unit adds what a unit asks for.
func (p *Plan) unit(u *Unit) {
	root := "/etc/systemd"
	if u.Runtime {
		root = "/run/systemd"
	}
	dir := path.Join(root, "system")
	if isNetwork(u.Name) {
		dir = path.Join(root, "network")
		p.Network = true
	}
	at := path.Join(dir, u.Name)
	if u.Text != "" {
		p.Files = append(p.Files, File{Path: at, Text: u.Text, Mode: 0o644})
	}
	for _, d := range u.DropIns {
		p.Files = append(p.Files, File{Path: path.Join(at+".d", d.Name), Text: d.Text, Mode: 0o644})
	}
	switch {
	case u.Mask:
		p.Masks = append(p.Masks, at)
	case u.Enable && u.Runtime:
		p.EnableRuntime = append(p.EnableRuntime, u.Name)
	case u.Enable:
		p.Enable = append(p.Enable, u.Name)
	}
	if u.Command != "" {
		p.Jobs = append(p.Jobs, Job{u.Command, u.Name})
	}
}

// environment adds a drop-in with settings as variables of a unit.
func (p *Plan) environment(unit, name, prefix string, settings []Setting) {
	if len(settings) == 0 {
		return
	}
	var text strings.Builder
	text.WriteString("[Service]\n")
	for _, s := range settings {
		fmt.Fprintf(&text, "Environment=\"%s%s=%s\"\n", prefix, strings.ToUpper(s.Name), quote(s.Value))
	}
	p.Files = append(p.Files, File{Path: path.Join("/run/systemd/system", unit+".d", name), Text: text.String(), Mode: 0o644})
}

// quote writes a value within double quotes so that systemd reads it as it is.
// (systemd.syntax(7), quoting; specifiers in systemd.unit(5))
func quote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\t", `\t`).Replace(s)
}
