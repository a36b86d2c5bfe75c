package etcdctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"drydock/node/client"
	"drydock/node/ui"
)

// Exit codes, as scripts know them.
const (
	exitOK         = 0
	exitBadArgs    = 1
	exitBadConn    = 2
	exitNoCommand  = 3
	exitServer     = 4
	exitNotHealthy = 5
)

// command is one of the program's, or a group of them.
type command struct {
	name, brief, args string
	// about says more than brief; examples are command lines without the program.
	about    string
	examples []string
	flags    []flag
	// keepDashes hands "--" on to run.
	keepDashes bool
	run        func(*invocation) int
	// sub makes it a group.
	sub []*command
}

// invocation is one run of a command.
type invocation struct {
	ctx    context.Context
	env    *ui.Env
	global *values
	flags  *values
	args   []string
	// client is made by connect.
	client *client.Client
}

// Main runs the program with the arguments of env, which begin with a global flag
// or a command, until it ends or a signal ends it. The error carries the exit code
// and nothing to print.
func Main(env *ui.Env) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return ui.Exit(Run(ctx, env), nil)
}

// Run is Main with the end of ctx in a signal's place. It returns the exit code.
func Run(ctx context.Context, env *ui.Env) int {
	inv := &invocation{ctx: ctx, env: env}
	global, rest, err := parse(globalFlags, env.Args, false, false)
	inv.global = global
	switch {
	case errors.Is(err, errHelp):
		return inv.help(programHelp())
	case err != nil:
		return inv.misused("Incorrect Usage. ", err, programHelp())
	case global.bool("version"):
		fmt.Fprintf(env.Stdout, "etcdctl version: %s\nAPI version: 2\nProgram: drydock etcdctl\n", version)
		return exitOK
	case len(rest) == 0:
		return inv.help(programHelp())
	}
	if err := fromEnvironment(global, env.Getenv); err != nil {
		fmt.Fprintln(env.Stderr, err)
		return exitBadArgs
	}
	return inv.dispatch(commands(), nil, rest)
}

// fromEnvironment takes global flags that were not given from ETCDCTL_NAME. The names
// for endpoints are one: none is taken if any was given.
func fromEnvironment(global *values, getenv func(string) string) error {
	placed := slices.ContainsFunc(endpointFlags, global.has)
	for i := range globalFlags {
		f := &globalFlags[i]
		name := "ETCDCTL_" + strings.ToUpper(strings.ReplaceAll(f.names[0], "-", "_"))
		value := getenv(name)
		switch {
		case value == "" || global.has(f.names[0]) || f.names[0] == "version" || f.names[0] == "help":
			continue
		case placed && slices.Contains(endpointFlags, f.names[0]):
			continue
		}
		if err := global.set(f, f.names[0], value); err != nil {
			return fmt.Errorf("environment variable %s: %w", name, err)
		}
	}
	return nil
}

// dispatch finds and runs a command of a group.
func (inv *invocation) dispatch(group []*command, above []string, args []string) int {
	name, args := args[0], args[1:]
	if name == "help" || name == "h" {
		return inv.helpFor(group, above, args)
	}
	c := find(group, name)
	if c == nil {
		return inv.unknown(group, above, name)
	}
	path := append(above, c.name)
	if c.sub != nil {
		_, rest, err := parse(nil, args, false, false)
		switch {
		case errors.Is(err, errHelp) || err == nil && len(rest) == 0:
			return inv.help(commandHelp(c, path))
		case err != nil:
			return inv.misused("Incorrect Usage. ", err, commandHelp(c, path))
		}
		return inv.dispatch(c.sub, path, rest)
	}
	var err error
	inv.flags, inv.args, err = parse(c.flags, args, true, c.keepDashes)
	switch {
	case errors.Is(err, errHelp):
		return inv.help(commandHelp(c, path))
	case err != nil:
		return inv.misused("Incorrect Usage: ", err, commandHelp(c, path))
	}
	return inv.guarded(c)
}

// guarded runs a command whose output form is known to be one.
func (inv *invocation) guarded(c *command) int {
	switch format := inv.global.text("output"); format {
	case "simple", "extended", "json":
	default:
		fmt.Fprintf(inv.env.Stderr, "Unsupported output format: %s (simple, extended or json)\n", format)
		return exitBadArgs
	}
	defer func() {
		if inv.client != nil {
			inv.client.Close()
		}
	}()
	return c.run(inv)
}

func find(group []*command, name string) *command {
	for _, c := range group {
		if c.name == name {
			return c
		}
	}
	return nil
}

// ofV3 are commands of etcd's other interface, and what does the like here.
var ofV3 = map[string]string{
	"put": "set", "del": "rm", "endpoint": "cluster-health", "snapshot": "backup", "txn": "set --swap-with-value",
}

// unknown says that there is no such command, and which may have been meant.
func (inv *invocation) unknown(group []*command, above []string, name string) int {
	fmt.Fprintf(inv.env.Stderr, "No help topic for '%s'\n", name)
	var names []string
	for _, c := range group {
		names = append(names, c.name)
	}
	meant := ui.Nearest(name, names)
	if v2 := ofV3[name]; v2 != "" && len(above) == 0 {
		fmt.Fprintf(inv.env.Stderr, "'%s' is of etcd's v3 API; here it is: etcdctl %s\n", name, v2)
		return exitNoCommand
	}
	line := strings.Join(append([]string{"etcdctl"}, above...), " ")
	if meant != "" {
		fmt.Fprintf(inv.env.Stderr, "Did you mean: %s %s\n", line, meant)
		return exitNoCommand
	}
	fmt.Fprintf(inv.env.Stderr, "For what there is: %s help\n", line)
	return exitNoCommand
}

// help writes help that was asked for.
func (inv *invocation) help(write func(io.Writer)) int {
	write(inv.env.Stdout)
	return exitOK
}

// misused says what is wrong with the flags, with the help that says what is right.
func (inv *invocation) misused(prefix string, err error, write func(io.Writer)) int {
	fmt.Fprintf(inv.env.Stdout, "%s%v\n\n", prefix, err)
	write(inv.env.Stdout)
	fmt.Fprintln(inv.env.Stderr, err)
	return exitBadArgs
}

// helpFor answers "help [COMMAND...]".
func (inv *invocation) helpFor(group []*command, above, args []string) int {
	for i, name := range args {
		c := find(group, name)
		if c == nil {
			return inv.unknown(group, above, name)
		}
		above = append(above, c.name)
		if c.sub == nil || i == len(args)-1 {
			return inv.help(commandHelp(c, above))
		}
		group = c.sub
	}
	if len(above) == 0 {
		return inv.help(programHelp())
	}
	return inv.help(commandHelp(find(commands(), above[0]), above))
}

// fail ends a command on keys with an error that the user is told.
func (inv *invocation) fail(code int, err error) int {
	if inv.interrupted(err) {
		return ui.Interrupted
	}
	fmt.Fprintln(inv.env.Stderr, "Error: ", err)
	if cluster := (*client.ClusterError)(nil); errors.As(err, &cluster) {
		fmt.Fprintln(inv.env.Stderr, cluster.Detail())
		inv.warnUnknown(cluster)
	}
	return code
}

// refuse ends a command on members, users and roles.
func (inv *invocation) refuse(err error) int {
	if inv.interrupted(err) {
		return ui.Interrupted
	}
	fmt.Fprintln(inv.env.Stderr, err)
	if cluster := (*client.ClusterError)(nil); errors.As(err, &cluster) {
		inv.warnUnknown(cluster)
	}
	return exitBadArgs
}

// warnUnknown keeps a user from taking "it failed" for "it was not done".
func (inv *invocation) warnUnknown(err *client.ClusterError) {
	if err.Unknown {
		fmt.Fprintln(inv.env.Stderr, "It is not known whether this took effect; look before you try again.")
	}
}

// interrupted tells whether err comes of the user's own wish to stop.
func (inv *invocation) interrupted(err error) bool {
	return inv.ctx.Err() != nil && errors.Is(err, context.Canceled)
}
