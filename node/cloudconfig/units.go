package cloudconfig

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// commands are what may be done to a unit. (coreos-cloudinit system/systemd.go)
var commands = []string{"start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart"}

// suffixes are the types of units, those of networkd last.
var suffixes = []string{
	".automount", ".device", ".mount", ".path", ".scope", ".service", ".slice", ".socket", ".swap", ".target", ".timer",
	".netdev", ".link", ".network",
}

// networks is how many of suffixes are networkd's.
const networks = 3

// isNetwork says whether a unit is one of networkd's.
func isNetwork(name string) bool {
	return slices.Contains(suffixes[len(suffixes)-networks:], path.Ext(name))
}

func (r *reader) unit(n *yaml.Node) (u Unit) {
	r.pairs(n, "units", map[string]func(*yaml.Node){
		"name":    func(n *yaml.Node) { u.Name = r.unitName(n) },
		"content": func(n *yaml.Node) { u.Text = r.text(n, "content") },
		"mask":    func(n *yaml.Node) { u.Mask = r.truth(n, "mask") },
		"enable":  func(n *yaml.Node) { u.Enable = r.truth(n, "enable") },
		"runtime": func(n *yaml.Node) { u.Runtime = r.truth(n, "runtime") },
		"command": func(n *yaml.Node) {
			u.Command = r.line(n, "command")
			if !slices.Contains(commands, u.Command) {
				r.fail(n, "command: %q is not one of %s", u.Command, strings.Join(commands, ", "))
			}
		},
		"drop_ins": func(n *yaml.Node) {
			r.each(n, "drop_ins", func(n *yaml.Node) { u.DropIns = append(u.DropIns, r.dropIn(n)) })
		},
	})
	if follow(n).Kind != yaml.MappingNode {
		return u
	}
	switch {
	case u.Name == "":
		r.fail(n, "units: a unit without a name")
	case u.Mask && (u.Text != "" || u.Enable || u.Command == "start"):
		r.fail(n, "units: %s is masked, and is to run", u.Name)
	case isNetwork(u.Name) && (u.Command != "" || u.Enable):
		r.fail(n, "units: %s is networkd's, which reads it by itself: no command, no enable", u.Name)
	}
	return u
}

func (r *reader) unitName(n *yaml.Node) string {
	s := r.line(n, "name")
	if !slices.Contains(suffixes, path.Ext(s)) || strings.HasPrefix(s, ".") || strings.Contains(s, "/") || len(s) > 255 {
		r.fail(n, "name: %q is not a unit's name", s)
	}
	return s
}

func (r *reader) dropIn(n *yaml.Node) (d DropIn) {
	r.pairs(n, "drop_ins", map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) {
			d.Name = r.line(n, "name")
			if path.Ext(d.Name) != ".conf" || strings.Contains(d.Name, "/") || len(d.Name) > 255 {
				r.fail(n, "name: %q is not a drop-in's name: 10-more.conf", d.Name)
			}
		},
		"content": func(n *yaml.Node) { d.Text = r.text(n, "content") },
	})
	if d.Name == "" && follow(n).Kind == yaml.MappingNode {
		r.fail(n, "drop_ins: one without a name")
	}
	return d
}
