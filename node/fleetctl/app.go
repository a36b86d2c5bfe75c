package fleetctl

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/node/fleetclient"
	"drydock/node/ui"
)

// version is the release of fleet whose client this one does the same as.
const version = "1.0.0"

// Exit codes, as scripts know them. A command that is run on a machine passes on its
// own.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// session is one run of a command.
type session struct {
	ctx    context.Context
	env    *ui.Env
	sys    system
	global globals
	words  words
	client *fleetclient.Client
	// machines are those that were listed last, by id.
	machines map[string]fleetclient.Machine
	// since is when a unit was first seen to be in trouble.
	since map[string]time.Time
	// failure is the last thing that went wrong.
	failure string
	// units are all of the cluster's, once a pattern has asked for them.
	units []string
}

// runFunc carries a command out on its arguments and returns the exit code.
type runFunc func(args []string) int

// Main runs the program with the arguments of env, which begin with a global flag
// or a command, until it ends or a signal ends it. The error carries the exit code
// and nothing to print.
func Main(env *ui.Env) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return ui.Exit(run(ctx, env, realSystem()), nil)
}

// run is Main with the end of ctx in a signal's place. It returns the exit code.
func run(ctx context.Context, env *ui.Env, sys system) int {
	s := &session{ctx: ctx, env: env, sys: sys, since: make(map[string]time.Time)}
	root := s.root()
	args, err := tidy(root, env.Args)
	if err != nil {
		s.errf("%v", err)
		return exitUsage
	}
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errDone):
		return ui.Code(err)
	default:
		text, _, _ := strings.Cut(err.Error(), ": strconv.")
		s.errf("fleetctl: %s", text)
		s.errf("Run 'fleetctl help' for usage.")
		return exitUsage
	}
}

// errDone says that a command has run and said all that there is to say.
var errDone = errors.New("the command has run")

// root returns the program as cobra knows it.
func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "fleetctl [global flags] COMMAND",
		Short: "Tell a cluster's machines what to run",
		Long: `fleetctl is the client of a cluster's units: it tells the cluster what should run,
and shows what does, where, and why something doesn't.

Each global flag has an environment variable as well: FLEETCTL_ENDPOINT for
--endpoint. Commands may be shortened to what only one of them begins with.`,
		Example:       "  fleetctl start hello.service\n  fleetctl list-units\n  fleetctl --endpoint http://10.0.0.1:2379 why hello",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.global.version {
				s.outf("fleetctl version v%s", version)
				return nil
			}
			return c.Help()
		},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return s.prepare(c) },
	}
	s.global.register(root.PersistentFlags())
	root.AddCommand(s.changeCommands()...)
	root.AddCommand(s.listCommands()...)
	root.AddCommand(s.showCommands()...)
	root.AddCommand(s.machineCommands()...)
	root.AddCommand(s.otherCommands()...)
	return root
}

// command makes a command of its words and what carries it out, which needs no
// cluster.
func (s *session) command(use, short, long, example string, run runFunc) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		RunE: func(_ *cobra.Command, args []string) error {
			return errors.Join(ui.Exit(run(args), errDone), errDone)
		},
	}
}

// completing has the shell complete arguments with what names returns, and with files
// where units can be made of those.
func (s *session) completing(c *cobra.Command, files bool, names func() ([]string, error)) *cobra.Command {
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if files {
			directive = cobra.ShellCompDirectiveDefault
		}
		if s.connect() != nil {
			return nil, directive
		}
		defer s.client.Close()
		list, err := names()
		if err != nil {
			return nil, directive
		}
		return list, directive
	}
	return c
}

// online makes a command that needs the cluster.
func (s *session) online(use, short, long, example string, run runFunc) *cobra.Command {
	return s.command(use, short, long, example, func(args []string) int {
		if err := s.connect(); err != nil {
			s.errf("Unable to initialize client: %v", err)
			return exitFailed
		}
		defer s.client.Close()
		code := run(args)
		if s.ctx.Err() != nil {
			return ui.Interrupted
		}
		return code
	})
}

// prepare takes from the environment what the command line doesn't say, and checks
// what there is.
func (s *session) prepare(c *cobra.Command) error {
	var failed error
	c.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		name := "FLEETCTL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := s.env.Getenv(name)
		if f.Changed || value == "" || failed != nil {
			return
		}
		if err := f.Value.Set(value); err != nil {
			failed = fmt.Errorf("environment variable %s: invalid value %q: %w", name, value, err)
		}
	})
	if failed != nil {
		return failed
	}
	var ok bool
	if s.words, ok = dialects[s.global.compat]; !ok {
		return fmt.Errorf("--compat: there is no %q, but 1.0, 0.5 and 2014", s.global.compat)
	}
	if s.global.driver == "etcd" {
		s.errf("WARNING: fleet's keys in etcd aren't read: --driver etcd is ignored, and the API used")
	}
	return nil
}

// tidy writes arguments as cobra wants them: long flags with two dashes (2014's could
// have one), and commands in full.
func tidy(root *cobra.Command, args []string) ([]string, error) {
	// Never nil, for which cobra would take the process's own.
	out := append([]string{}, args...)
	var cmd *cobra.Command
	for i := 0; i < len(out); i++ {
		a := out[i]
		switch {
		case a == "--", strings.HasPrefix(a, "__complete"):
			return out, nil
		case len(a) > 1 && a[0] == '-':
			name, _, valued := strings.Cut(strings.TrimLeft(a, "-"), "=")
			f := lookup(root, cmd, name)
			if f == nil {
				if a == "-help" {
					out[i] = "--help"
				}
				continue
			}
			if !strings.HasPrefix(a, "--") && len(name) > 1 {
				out[i] = "-" + a
			}
			if !valued && f.NoOptDefVal == "" {
				i++
			}
		case cmd == nil:
			var err error
			if cmd, err = find(root, a); err != nil {
				return nil, err
			}
			out[i] = cmd.Name()
		case cmd.Annotations[takesCommand] != "":
			return out, nil
		}
	}
	return out, nil
}

// takesCommand marks a command whose arguments end with another command line.
const takesCommand = "takes a command"

func lookup(root, cmd *cobra.Command, name string) *pflag.Flag {
	sets := []*pflag.FlagSet{root.PersistentFlags()}
	if cmd != nil {
		sets = append(sets, cmd.Flags())
	}
	for _, set := range sets {
		if f := set.Lookup(name); f != nil {
			return f
		}
		if len(name) == 1 {
			if f := set.ShorthandLookup(name); f != nil {
				return f
			}
		}
	}
	return nil
}

// find returns the command of this name, or the only one whose name begins so.
func find(root *cobra.Command, word string) (*cobra.Command, error) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var begin []*cobra.Command
	var all, names []string
	for _, c := range root.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return c, nil
		}
		all = append(all, c.Name())
		if strings.HasPrefix(c.Name(), word) {
			begin, names = append(begin, c), append(names, c.Name())
		}
	}
	switch {
	case len(begin) == 1:
		return begin[0], nil
	case len(begin) > 1:
		return nil, messagef("fleetctl: ambiguous subcommand: %q may be %s\nRun 'fleetctl help' for usage.", word, strings.Join(names, ", "))
	}
	hint := ""
	if near := ui.Nearest(word, all); near != "" {
		hint = fmt.Sprintf("Did you mean '%s'? ", near)
	}
	return nil, messagef("fleetctl: unknown subcommand: %q\n%sRun 'fleetctl help' for usage.", word, hint)
}

// message is an error in the words that users of fleet know, whatever a Go error looks
// like.
type message string

func (m message) Error() string { return string(m) }

func messagef(format string, args ...any) error { return message(fmt.Sprintf(format, args...)) }

// outf writes a line to standard output.
func (s *session) outf(format string, args ...any) { fmt.Fprintf(s.env.Stdout, format+"\n", args...) }

// errf writes a line to standard error.
func (s *session) errf(format string, args ...any) { fmt.Fprintf(s.env.Stderr, format+"\n", args...) }
