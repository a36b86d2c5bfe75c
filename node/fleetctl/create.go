package fleetctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"drydock/node/fleetclient"
	"drydock/node/unit"
)

// maxUnitFile bounds a unit file, in bytes; what a cluster takes is far smaller.
const maxUnitFile = 4 << 20

// creation is what is done with one unit before it is loaded or started.
type creation struct {
	target
	// there is what the cluster has of it.
	there *fleetclient.Unit
	// file is what it shall be, nil if it stays as it is.
	file    *unit.Unit
	replace bool
	remarks []string
	err     error
}

// created is what came of having the cluster know units.
type created struct {
	// names are the units that are there, in order; there is what there is of them.
	names []string
	there map[string]*fleetclient.Unit
	// replaced has the new texts' hashes of units that had another one.
	replaced map[string]string
	// ok is false if a unit isn't there.
	ok bool
}

// ensure has the cluster know each unit: from its file, or as an instance of a
// template that the cluster or a file has. It says what comes of it.
func (s *session) ensure(list []target, verb string, replace bool) created {
	all := make([]string, len(list))
	for i, t := range list {
		all[i] = t.name
	}
	there, _, err := s.look(all, fleetclient.Reading{})
	if err != nil {
		s.errf("Error creating units: error retrieving units from Registry: %v", err)
		return created{}
	}
	todo := make([]creation, len(list))
	for i, t := range list {
		todo[i] = creation{target: t, there: there[t.name]}
		s.decide(&todo[i], verb, replace)
	}
	s.each(len(todo), func(i int) {
		if c := &todo[i]; c.file != nil && c.err == nil {
			c.remarks, c.err = s.client.Create(s.ctx, fleetclient.Unit{
				Name: c.name, Options: fleetclient.Options(c.file), DesiredState: desiredOf(c.there),
			}, c.replace)
			if c.err != nil {
				c.err = fmt.Errorf("failed creating unit %s: %w", c.name, c.err)
			}
		}
	})
	out := created{there: there, replaced: make(map[string]string), ok: true}
	for _, c := range todo {
		if c.err != nil {
			s.errf("Error creating units: %v", c.err)
			out.ok = false
			continue
		}
		if c.file != nil {
			s.remarkOn(c)
			if c.there == nil && s.words.created {
				s.outf("%s %s %s", s.words.unit, c.name, fleetclient.Inactive)
			}
			if c.there != nil {
				out.replaced[c.name] = c.file.Hash().String()
			}
			there[c.name] = &fleetclient.Unit{
				Name: c.name, Options: fleetclient.Options(c.file), DesiredState: desiredOf(c.there),
			}
		}
		out.names = append(out.names, c.name)
	}
	return out
}

// desiredOf is what is desired of a unit before anything else is said.
func desiredOf(u *fleetclient.Unit) string {
	if u == nil {
		return fleetclient.Inactive
	}
	return u.DesiredState
}

// decide settles what is done with one unit.
func (s *session) decide(c *creation, verb string, replace bool) {
	if c.there == nil {
		c.file, c.err = s.unitFor(c.target)
		if c.err == nil {
			if err := c.file.Fleet().Validate(); err != nil {
				c.err = err
			}
		}
		return
	}
	local, from, err := readFor(c.target)
	switch {
	case replace && err != nil:
		c.err = err
	case err != nil:
		// What is there needs no file.
	case same(local, c.there):
		if replace {
			s.outf("Found same Unit(%s) in Registry, nothing to do", c.name)
		}
	case !replace:
		kind := "unit"
		if path.Base(from) != c.name {
			kind = "template unit"
		}
		s.errf("WARNING: Unit %s in registry differs from local %s file %s%s", c.name, kind, from, s.words.replace)
	case !mayReplace(verb, c.there.DesiredState):
		s.errf("Warning: can not replace Unit(%s) in state '%s', use the appropriate command", c.name, c.there.DesiredState)
	default:
		c.file, c.replace = local, true
	}
}

// mayReplace tells whether a command may give a unit in a state another text: not if
// it would leave running what it wasn't asked to start.
func mayReplace(verb, desired string) bool {
	level := map[string]int{fleetclient.Inactive: 0, "submit": 0, fleetclient.Loaded: 1, "load": 1, fleetclient.Launched: 2, "start": 2}
	return level[desired] <= level[verb]
}

// same tells whether a file says what the cluster has.
func same(f *unit.Unit, u *fleetclient.Unit) bool {
	stored, err := u.File()
	return err == nil && stored.Hash() == f.Hash()
}

// readFor reads the file of a unit that the cluster has, or that of its template, and
// tells which.
func readFor(t target) (f *unit.Unit, from string, err error) {
	f, err = readFile(t.name, t.file)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, t.file, err
	}
	if template, ok := templateOf(t); ok {
		f, err = readFile(t.name, template.file)
		return f, template.file, err
	}
	return nil, "", err
}

// unitFor finds what a unit shall be that the cluster doesn't have: its file, its
// template in the cluster, or its template's file.
func (s *session) unitFor(t target) (*unit.Unit, error) {
	f, err := readFile(t.name, t.file)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, wrapFile(t.name, err)
	}
	template, ok := templateOf(t)
	if !ok {
		return nil, fmt.Errorf("unable to find Unit(%s) in Registry or on filesystem", t.name)
	}
	u, _, err := s.client.Unit(s.ctx, template.name, fleetclient.Reading{})
	switch {
	case err == nil:
		file, err := u.File()
		if err != nil {
			return nil, err
		}
		name, _ := unit.ParseName(t.name)
		return file.Instantiate(name.Instance())
	case !fleetclient.IsNotFound(err):
		return nil, fmt.Errorf("error retrieving template Unit(%s) from Registry: %w", template.name, err)
	}
	f, err = readFile(t.name, template.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("unable to find Unit(%s) or template Unit(%s) in Registry or on filesystem", t.name, template.name)
	}
	return f, wrapFile(template.name, err)
}

// templateOf returns the template of an instance.
func templateOf(t target) (target, bool) {
	name, err := unit.ParseName(t.name)
	if err != nil || !name.IsInstance() {
		return target{}, false
	}
	template, _ := name.Template()
	return target{name: template.String(), file: filepath.Join(filepath.Dir(t.file), template.String())}, true
}

// readFile reads a unit file for a unit of this name.
func readFile(name, file string) (*unit.Unit, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: %w", file, fs.ErrNotExist)
	case info.Size() > maxUnitFile:
		return nil, fmt.Errorf("%s is %d bytes long, at most %d are read", file, info.Size(), maxUnitFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return unit.Parse(name, text)
}

func wrapFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("failed getting Unit(%s) from file: %w", name, err)
}

// remarkOn says what of a unit does nothing, or isn't as it looks: what was seen
// here, and what the server has to add.
func (s *session) remarkOn(c creation) {
	said := make(map[string]bool)
	for _, r := range c.file.Remarks() {
		s.errf("WARNING: Unit %s: %s", c.name, r.Error())
		// The server counts the lines of the normalised text.
		r.Line = 0
		said[r.Error()] = true
	}
	for _, r := range c.remarks {
		if !said[withoutLine(r)] {
			s.errf("WARNING: Unit %s: %s", c.name, r)
		}
	}
}

// withoutLine takes the line's number off a remark.
func withoutLine(remark string) string {
	var line int
	if n, err := fmt.Sscanf(remark, "line %d:", &line); err == nil && n == 1 {
		return remark[len(fmt.Sprintf("line %d: ", line)):]
	}
	return remark
}
