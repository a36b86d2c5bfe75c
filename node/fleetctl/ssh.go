package fleetctl

import (
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/fleetclient"
	"drydock/node/unit"
)

// sshing are the flags of ssh.
type sshing struct {
	machine, unit string
	forward       bool
	port          int
}

func (s *session) loginCommand() *cobra.Command {
	o := &sshing{}
	c := s.online("ssh [MACHINE|UNIT] [COMMAND...]", "Log in to a machine, or run a command there",
		"Log in to a machine, named by how its id begins, or to that which has a unit, or run a command there.\n"+
			"This takes the ssh program. The command's exit code is passed on.",
		"  fleetctl ssh 11111111\n  fleetctl ssh hello.service uptime\n  fleetctl --tunnel 10.0.0.1 ssh -A hello.service",
		func(args []string) int { return s.ssh(o, args) })
	c.Annotations = map[string]string{takesCommand: "yes"}
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&o.machine, "machine", "m", "", "the machine, whatever else its name may mean")
	f.StringVarP(&o.unit, "unit", "u", "", "the unit, whatever else its name may mean")
	f.BoolVarP(&o.forward, "forward-agent", "A", false, "let the machine use the ssh agent here")
	f.IntVar(&o.port, "ssh-port", sshPort, "port for ssh")
	return c
}

func (s *session) ssh(o *sshing, args []string) int {
	var m fleetclient.Machine
	var err error
	switch {
	case o.machine != "" && o.unit != "":
		s.errf("Both machine and unit flags provided, please specify only one.")
		return exitFailed
	case o.machine != "":
		m, err = s.oneMachine(o.machine)
	case o.unit != "":
		m, err = s.machineOf(o.unit)
	case len(args) == 0:
		err = errors.New("one machine or unit must be provided")
	default:
		m, err = s.either(args[0])
		args = args[1:]
	}
	switch {
	case err != nil:
		s.errf("Unable to proceed: %v", err)
		return exitFailed
	case m.PrimaryIP == "":
		s.errf("Could not determine address of machine.")
		return exitFailed
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	return s.overSSH(m.PrimaryIP, o.port, o.forward, args)
}

// machineOf returns the machine that has a unit; of a global unit's, the first.
func (s *session) machineOf(word string) (fleetclient.Machine, error) {
	u, _, err := s.client.Unit(s.ctx, unit.Complete(path.Base(word)), fleetclient.Reading{Details: true})
	switch {
	case fleetclient.IsNotFound(err):
		return fleetclient.Machine{}, errors.New("unit does not exist")
	case err != nil:
		return fleetclient.Machine{}, err
	}
	ids, err := s.machinesOf(u, "")
	if err != nil || len(ids) == 0 {
		return fleetclient.Machine{}, errors.Join(err, errors.New("unit is on no machine"))
	}
	return s.machine(ids[0]), nil
}

// either returns the machine that a word means by its id, or by a unit.
func (s *session) either(word string) (fleetclient.Machine, error) {
	byID, err1 := s.oneMachine(word)
	byUnit, err2 := s.machineOf(word)
	switch {
	case err1 == nil && err2 == nil:
		return byID, fmt.Errorf("ambiguous argument, both machine and unit found for `%s`.\nPlease use flag `-m` or `-u` to refine the search", word)
	case err1 == nil:
		return byID, nil
	case err2 == nil:
		return byUnit, nil
	}
	return byID, errors.New("could not find matching unit or machine")
}

// runOn runs a command on a machine: here if it is this one, else by ssh.
func (s *session) runOn(id string, port int, argv []string) int {
	if id == s.sys.machineID() && s.global.tunnel == "" {
		code, err := s.sys.run(s.ctx, argv, s.env.Stdin, s.env.Stdout, s.env.Stderr)
		if err != nil {
			s.errf("Error running local command: %v", err)
			return exitFailed
		}
		return code
	}
	ip := s.machine(id).PrimaryIP
	if ip == "" {
		s.errf("Error getting machine IP: nothing is known of %s", short(id, false))
		return exitFailed
	}
	return s.overSSH(ip, port, false, argv)
}

// overSSH runs a command on the machine with an address, or a shell.
func (s *session) overSSH(ip string, port int, forward bool, command []string) int {
	argv, err := s.sshCommand(ip, port, forward)
	if err == nil && s.global.tunnel != "" {
		var through []string
		through, err = s.sshCommand(s.global.tunnel, 0, forward)
		if err == nil {
			host := argv[len(argv)-1]
			proxy := quoted(slices.Concat(through[:len(through)-1], []string{"-W", net.JoinHostPort(host, fmt.Sprint(port)), through[len(through)-1]}))
			argv = append(argv[:len(argv)-1:len(argv)-1], "-o", "ProxyCommand="+proxy, host)
		}
	}
	if err != nil {
		s.errf("Failed building SSH client: %v", err)
		return exitFailed
	}
	if len(command) > 0 {
		argv = append(argv, "--", strings.Join(command, " "))
	}
	code, err := s.sys.run(s.ctx, argv, s.env.Stdin, s.env.Stdout, s.env.Stderr)
	if err != nil {
		s.errf("Failed running command over SSH: %v", err)
		return exitFailed
	}
	return code
}

// quoted writes words for the shell that ssh runs a proxy's command with.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "'" + strings.ReplaceAll(strings.ReplaceAll(w, "%", "%%"), "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}
