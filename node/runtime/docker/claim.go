package docker

import (
	"path"
	"slices"
	"strings"

	"drydock/node/unit"
)

// Label is the label by which a unit's file can say that a container is its own.
const Label = "drydock.unit"

// claim is a container that a unit's commands make.
type claim struct {
	// Name is its --name; empty if none is given.
	Name string `json:"name,omitempty"`
	// Image and Args are for containers without a name: what comes after the
	// options of docker run. Open says that more may follow, which isn't known
	// before the unit runs. No Image, no claim without a name.
	Image string   `json:"image,omitempty"`
	Args  []string `json:"args,omitempty"`
	Open  bool     `json:"open,omitempty"`
}

// claims returns the containers that a unit's commands make, and whether any of
// its commands speaks to the engine at all.
func claims(def *unit.Definition) (list []claim, docker bool) {
	if def.Service == nil {
		return nil, false
	}
	s := def.Service
	for _, commands := range [][]unit.Command{s.Pre, s.Start, s.Post} {
		for _, c := range commands {
			found, speaks := ofCommand(c)
			list, docker = append(list, found...), docker || speaks
		}
	}
	return list, docker
}

// ofCommand returns the claims of one command, or of the script that it has a
// shell run.
func ofCommand(c unit.Command) (list []claim, docker bool) {
	if len(c.Args) == 0 {
		return nil, false
	}
	args := c.Args[1:]
	switch path.Base(c.Path) {
	case "docker":
		if cl, ok := ofRun(args, true); ok {
			list = append(list, cl)
		}
		return list, true
	case "sh", "bash", "dash":
		if i := slices.IndexFunc(args, func(a string) bool {
			return strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c")
		}); i >= 0 && i+1 < len(args) {
			return ofScript(args[i+1])
		}
	}
	return nil, false
}

// ofScript finds docker's commands in a script. What they run is too uncertain
// there to know a container by anything but its name.
func ofScript(script string) (list []claim, docker bool) {
	words := shellWords(script)
	for i, word := range words {
		if path.Base(word) != "docker" {
			continue
		}
		docker = true
		args := words[i+1:]
		if end := slices.IndexFunc(args, isSeparator); end >= 0 {
			args = args[:end]
		}
		if cl, ok := ofRun(args, false); ok && cl.Name != "" {
			list = append(list, claim{Name: cl.Name})
		}
	}
	return list, docker
}

// The options that take no value: docker's own, and those of run and create.
// Every other one takes one.
var (
	globalFlags = flagSet{
		short: "Dv", long: []string{"debug", "tls", "tlsverify", "version", "help"},
	}
	runFlags = flagSet{
		short: "ditPq",
		long: []string{
			"detach", "interactive", "tty", "rm", "init", "privileged", "read-only", "publish-all", "no-healthcheck",
			"oom-kill-disable", "sig-proxy", "disable-content-trust", "quiet", "use-api-socket", "help",
		},
	}
)

type flagSet struct {
	short string
	long  []string
}

// ofRun reads the arguments of a docker command that makes a container. Without
// unit, a shell has the last word on dollars, not the unit's file.
func ofRun(args []string, byUnit bool) (claim, bool) {
	rest, options := globalFlags.read(args)
	for _, o := range options {
		// Another engine's containers aren't this machine's.
		if o.name == "H" || o.name == "host" || o.name == "c" || o.name == "context" {
			return claim{}, false
		}
	}
	if len(rest) > 0 && rest[0] == "container" {
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0] != "run" && rest[0] != "create" {
		return claim{}, false
	}
	rest, options = runFlags.read(rest[1:])
	var cl claim
	for _, o := range options {
		if o.name != "name" {
			continue
		}
		if strings.Contains(o.value, "$") {
			return claim{}, false // nobody knows what it will be
		}
		cl.Name = o.value
	}
	if cl.Name != "" || len(rest) == 0 || !byUnit {
		return cl, cl.Name != ""
	}
	if strings.Contains(rest[0], "$") {
		return claim{}, false
	}
	cl.Image = rest[0]
	for _, arg := range rest[1:] {
		if literal := strings.ReplaceAll(arg, "$$", ""); strings.Contains(literal, "$") {
			cl.Open = true
			break
		}
		cl.Args = append(cl.Args, strings.ReplaceAll(arg, "$$", "$"))
	}
	cl.Open = cl.Open || len(rest) == 1 // the image has a command of its own
	return cl, true
}

// option is an option with its value; name has no dashes.
type option struct{ name, value string }

// read splits arguments into the options in front and the rest, as docker does.
func (f flagSet) read(args []string) (rest []string, options []option) {
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			return args[1:], options
		case len(arg) < 2 || arg[0] != '-':
			return args, options
		}
		args = args[1:]
		// Of 2014: long options with one dash.
		if arg == "-name" || arg == "-rm" || strings.HasPrefix(arg, "-name=") {
			arg = "-" + arg
		}
		var o option
		if strings.HasPrefix(arg, "--") {
			o, args = f.long1(arg[2:], args)
		} else {
			o, args = f.short1(arg[1:], args)
		}
		options = append(options, o)
	}
	return nil, options
}

// long1 reads a long option; more is what follows.
func (f flagSet) long1(arg string, more []string) (option, []string) {
	name, value, has := strings.Cut(arg, "=")
	if !has && !slices.Contains(f.long, name) && len(more) > 0 {
		value, more = more[0], more[1:]
	}
	return option{name, value}, more
}

// short1 reads a group of short options, of which the last may take a value.
func (f flagSet) short1(arg string, more []string) (option, []string) {
	for i := range len(arg) {
		if strings.IndexByte(f.short, arg[i]) >= 0 {
			continue
		}
		o := option{name: arg[i : i+1], value: strings.TrimPrefix(arg[i+1:], "=")}
		if i+1 == len(arg) && len(more) > 0 {
			o.value, more = more[0], more[1:]
		}
		return o, more
	}
	return option{name: arg}, more
}
