package fleetctl

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"drydock/node/fleetclient"
	"drydock/node/unit"
)

// target is a unit that a command is about.
type target struct {
	name string
	// file is where its file would be, next to what was typed.
	file string
}

// source says where the units are that a pattern is matched with.
type source uint8

const (
	// ofFiles are unit files here, ofCluster what the cluster has.
	ofFiles source = 1 << iota
	ofCluster
	// templates lets patterns match templates, too.
	templates
	// byName has each unit named that isn't there, also if none is.
	byName
)

// targets turns what was typed into units. A word is the path of a unit file, whose
// last part is the unit's name, to which .service is added if it has no suffix. A
// word with *, ? or [ that is no file's path is a pattern:
//
//   - Of unit files, if the command can read some: those that it matches as a path.
//   - Of the cluster's units, if the command changes or shows what is there and the
//     pattern has no slash: those whose names it matches, with or without .service.
//   - With a slash the units are those of the files that it matches, whatever the
//     command: dir/* never means all that the cluster has.
//
// Patterns pass over what isn't a unit's name (a backup of an editor's) and, where
// templates can't be meant, over templates. ok is false if a pattern matches
// nothing, or a name is none; the others are returned all the same.
func (s *session) targets(args []string, from source) (list []target, ok bool) {
	ok = true
	for _, arg := range args {
		found, err := s.match(arg, from)
		if err != nil {
			s.errf("%v", err)
			ok = false
			continue
		}
		for _, t := range found {
			if !slices.ContainsFunc(list, func(o target) bool { return o.name == t.name }) {
				list = append(list, t)
			}
		}
	}
	return list, ok
}

// match returns the units that one word means.
func (s *session) match(arg string, from source) ([]target, error) {
	if _, err := os.Stat(arg); err == nil || !unit.IsGlob(arg) {
		t := target{name: unit.Complete(path.Base(arg)), file: unit.Complete(arg)}
		if _, err := unit.ParseName(t.name); err != nil {
			return nil, fmt.Errorf("%q: %w", t.name, err)
		}
		return []target{t}, nil
	}
	if _, err := path.Match(arg, ""); err != nil {
		return nil, &patternError{arg, "is no pattern: a bracket isn't closed"}
	}
	var found []target
	slash := strings.Contains(arg, "/")
	if from&ofFiles != 0 || slash {
		files, err := filepath.Glob(arg)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && !info.IsDir() && meant(path.Base(file), from) {
				found = append(found, target{name: path.Base(file), file: file})
			}
		}
	}
	if from&ofCluster != 0 && !slash {
		names, err := s.clusterNames()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if (unit.Glob(arg, name) || unit.Glob(arg+".service", name)) && meant(name, from) {
				found = append(found, target{name: name, file: name})
			}
		}
	}
	if len(found) == 0 {
		return nil, &patternError{arg, "matches no unit" + map[bool]string{true: " file here"}[from&ofCluster == 0 || slash]}
	}
	return found, nil
}

// meant tells whether a pattern may mean a unit.
func meant(name string, from source) bool {
	n, err := unit.ParseName(name)
	return err == nil && (from&templates != 0 || !n.IsTemplate())
}

// patternError says what is wrong with a pattern.
type patternError struct{ pattern, what string }

func (e *patternError) Error() string { return "Pattern " + e.pattern + " " + e.what }

// clusterNames are those of all units, sorted.
func (s *session) clusterNames() ([]string, error) {
	if s.units != nil {
		return s.units, nil
	}
	list, _, err := s.client.Units(s.ctx, fleetclient.Reading{})
	if err != nil {
		return nil, err
	}
	s.units = make([]string, 0, len(list))
	for _, u := range list {
		s.units = append(s.units, u.Name)
	}
	slices.Sort(s.units)
	return s.units, nil
}

// look reads those of the named units that are there. The revision is 0 if the
// cluster has none. With a wait it waits for a change after a revision first.
func (s *session) look(names []string, o fleetclient.Reading) (map[string]*fleetclient.Unit, uint64, error) {
	found := make(map[string]*fleetclient.Unit, len(names))
	o.Details = true
	if len(names) == 1 {
		u, revision, err := s.client.Unit(s.ctx, names[0], o)
		switch {
		case fleetclient.IsNotFound(err):
			return found, 0, nil
		case err != nil:
			return nil, 0, err
		}
		found[u.Name] = u
		return found, revision, nil
	}
	var revision uint64
	for rest := names; len(rest) > 0; {
		n := fits(rest)
		o.Names = rest[:n]
		list, at, err := s.client.Units(s.ctx, o)
		if err != nil {
			return nil, 0, err
		}
		for i := range list {
			found[list[i].Name] = &list[i]
		}
		if revision == 0 {
			revision = at
		}
		// A server that can't be asked for some units has answered with all.
		if !s.client.Extended() {
			break
		}
		rest, o.Wait = rest[n:], 0
	}
	return found, revision, nil
}

// fits returns how many names go into one request.
func fits(names []string) int {
	const most = 4000
	length := 0
	for i, name := range names {
		if length += len(name) + 3; i > 0 && length > most || i == fleetclient.MaxNames {
			return i
		}
	}
	return len(names)
}
