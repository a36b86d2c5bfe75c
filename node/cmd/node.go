package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/node/daemon"
	"drydock/node/ui"
)

// Node is drydock node: it runs a node until it is told to stop. Subcommands work
// on data directories.
func Node(env *ui.Env) *cobra.Command {
	options := daemon.Options()
	values := make(map[string]*value, len(options))
	c := &cobra.Command{
		Use:   "node [flags]",
		Short: "Run a node of a cluster",
		Long: "Run a node. Without flags it is a cluster of one on this machine, with its data in\n" +
			"./default.drydock. Each flag can be given as DRYDOCK_NAME in the environment (etcd's\n" +
			"ETCD_NAME is understood too) and by its name in the YAML file of --config-file as well;\n" +
			"a flag beats both.",
		Example: "  drydock node\n" +
			"  drydock node --name n1 --initial-cluster n1=http://127.0.0.1:2380,n2=http://127.0.0.1:2480,n3=http://127.0.0.1:2580\n" +
			"  drydock node --name n4 --discovery http://127.0.0.1:2379/v2/keys/discovery/my-token\n" +
			"  drydock node inspect n1.drydock",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags := make(map[string]string)
			for name, v := range values {
				if v.given {
					flags[name] = v.text
				}
			}
			return runNode(cmd.Context(), env, Revision(), flags)
		},
	}
	for i := range options {
		values[options[i].Name] = addFlag(c.Flags(), &options[i])
	}
	c.SetFlagErrorFunc(flagError)
	c.SetUsageFunc(func(c *cobra.Command) error { return usage(c.OutOrStderr(), c, options) })
	for _, sub := range []*cobra.Command{Inspect(env), Backup(env), Restore(env), Certs(env), Firstboot(env)} {
		sub.SetUsageFunc((&cobra.Command{}).UsageFunc())
		c.AddCommand(sub)
	}
	return c
}

// flagError adds to an error in the flags what may have been meant, and where to
// look.
func flagError(c *cobra.Command, err error) error {
	hint := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && c.Name() == "node" {
		if name := daemon.Nearest(unknown.GetSpecifiedName()); name != "" {
			hint = fmt.Sprintf("; did you mean --%s?", name)
		}
	}
	return fmt.Errorf("%s: %w%s (%s --help lists all)", c.CommandPath(), err, hint, c.CommandPath())
}

// words demands as many arguments as the command's usage names.
func words(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		need, given := fmt.Sprintf("%d words are", n), "are"
		if n == 1 {
			need = "one word is"
		}
		if len(args) == 1 {
			given = "is"
		}
		return fmt.Errorf("%s: %s needed, given %s %d (%s --help has examples)", strings.TrimSuffix(c.UseLine(), " [flags]"), need, given, len(args), c.CommandPath())
	}
}

// value takes a flag's text; the options know what to make of it.
type value struct {
	text  string
	given bool
	kind  string
}

func (v *value) String() string     { return v.text }
func (v *value) Set(s string) error { v.text, v.given = s, true; return nil }
func (v *value) Type() string       { return v.kind }
func (v *value) IsBoolFlag() bool   { return v.kind == "bool" }

func addFlag(set *pflag.FlagSet, o *daemon.Option) *value {
	v := &value{text: o.Default, kind: o.Arg}
	if o.Bool() {
		v.kind = "bool"
	}
	for i, name := range append([]string{o.Name}, o.Old...) {
		f := set.VarPF(v, name, "", o.Usage)
		if o.Bool() {
			f.NoOptDefVal = "true"
		}
		f.Hidden = i > 0
	}
	return v
}

// usage prints the flags under their headings.
func usage(w io.Writer, c *cobra.Command, options []daemon.Option) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", c.UseLine())
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-10s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	for _, group := range daemon.Groups() {
		fmt.Fprintf(&b, "\n%s:\n", group)
		for i := range options {
			o := &options[i]
			if o.Group != group {
				continue
			}
			name := "--" + o.Name
			if o.Arg != "" {
				name += " " + o.Arg
			}
			fmt.Fprintf(&b, "  %-42s %s", name, o.Usage)
			if o.Default != "" && o.Default != "false" {
				fmt.Fprintf(&b, " (default %s)", o.Default)
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// runNode runs until a signal or the end of the node. A second signal ends the
// process at once.
func runNode(ctx context.Context, env *ui.Env, version string, flags map[string]string) error {
	cfg, err := daemon.Load(flags, env.Getenv)
	if err != nil {
		return ui.Exit(ui.Usage, fmt.Errorf("drydock node: %w", err))
	}
	cfg.Version = version
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal has its usual effect
	err = daemon.Run(ctx, cfg, env)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, daemon.ErrConfig):
		return ui.Exit(ui.Usage, fmt.Errorf("drydock node: %w", err))
	}
	return ui.Exit(ui.WorldFailed, fmt.Errorf("drydock node: %w", err))
}

// Arguments are the words of the command line as the commands take them. Called as
// etcdctl or fleetctl the program is that command; the flags of a node may have one
// dash, as they had in 2014.
func Arguments(env *ui.Env) []string {
	switch {
	case env.Program == "etcdctl", env.Program == "fleetctl":
		return append([]string{env.Program}, env.Args...)
	case len(env.Args) > 0 && env.Args[0] == "node":
		return append([]string{"node"}, longDashes(env.Args[1:])...)
	}
	return env.Args
}

// longDashes lets the flags of 2014 and of etcd's manuals be written with one
// dash, as those programs took them: -addr becomes --addr. Args are the words
// after "node".
func longDashes(args []string) []string {
	var names []string
	for _, o := range daemon.Options() {
		names = append(append(names, o.Name), o.Old...)
	}
	out := slices.Clone(args)
	for i, a := range out {
		if a == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && slices.Contains(names, name) {
			out[i] = "-" + a
		}
	}
	return out
}
