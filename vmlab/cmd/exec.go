package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/lab"
)

func newExec(l *labs) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "exec MACHINE -- COMMAND [ARG…]",
		Short: "Run a command on a machine, or on all",
		Example: "  drydock lab exec core-01 -- fleetctl list-machines\n" +
			"  drydock lab exec --all -- cat /etc/hostname",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			if all {
				return l.execAll(ctx, args)
			}
			if len(args) > 1 && args[1] == "--" {
				args = append(args[:1:1], args[2:]...)
			}
			if len(args) < 2 {
				return ui.Usagef("a machine and a command are needed: drydock lab exec core-01 -- uptime")
			}
			return l.exec(ctx, args[0], args[1:])
		},
	}
	c.ValidArgsFunction = l.completeMachines(1)
	c.Flags().BoolVar(&all, "all", false, "on all machines that are on, one after another")
	c.Flags().SetInterspersed(false)
	return c
}

// execAll runs a command on each machine; it ends as the last one that failed did.
func (l *labs) execAll(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return ui.Usagef("a command is needed: drydock lab exec --all -- uptime")
	}
	_, st, _, err := l.open()
	if err != nil {
		return err
	}
	var last error
	for i := range st.Machines {
		name := st.Machines[i].Name
		l.printf("%s\n", l.env.Paint(name+":", ui.Bold))
		if err := l.exec(ctx, name, command); err != nil {
			if err.Error() != "" {
				_, _ = fmt.Fprintln(l.env.Stderr, err)
			}
			last = err
		}
	}
	if last != nil {
		return ui.Exit(ui.Code(last), nil)
	}
	return nil
}

// exec runs a command on a machine and ends as it does.
func (l *labs) exec(ctx context.Context, name string, command []string) error {
	store, st, client, err := l.open()
	if err != nil {
		return err
	}
	if err := ours(store); err != nil {
		return err
	}
	m, err := machine(st, name)
	if err != nil {
		return err
	}
	driver, err := findDriver(st.Driver)
	if err != nil {
		return err
	}
	a, err := client.Access(ctx, m.Name)
	if err != nil {
		return failed(ctx, downHint(err, store))
	}
	code, err := driver.Exec(ctx, a, lab.Command{
		Args: command, Env: l.terminal(), Program: l.env.Executable,
		Stdin: file(l.env.Stdin), Stdout: file(l.env.Stdout), Stderr: file(l.env.Stderr),
	})
	if err != nil {
		return failed(ctx, err)
	}
	return ui.Exit(code, nil)
}

// ours refuses labs of other users: where to enter machines is their keeper's word, and
// whoever follows it does so with rights of their own.
func ours(store lab.Store) error {
	info, err := os.Stat(store.Dir)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return ui.Exit(ui.Usage, fmt.Errorf("the lab %s is user %d's: nobody else may enter its machines; run this as that user", store.Name(), owner.Uid))
	}
	return nil
}

// terminal are the variables that programs on a terminal need.
func (l *labs) terminal() []string {
	var env []string
	for _, name := range []string{"TERM", "NO_COLOR"} {
		if v := l.env.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// file is a stream as a file; nil, which is /dev/null, if it is none.
func file(stream any) *os.File {
	f, _ := stream.(*os.File)
	return f
}

func newSSH(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:     "ssh MACHINE [COMMAND…]",
		Short:   "Log in on a machine, or run a command as its shell would",
		Example: "  drydock lab ssh core-01\n  drydock lab ssh core-02 'journalctl -f | head'",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			if len(args) == 0 {
				return ui.Usagef("a machine is needed: drydock lab ssh core-01")
			}
			command := []string{"/bin/sh", "-l"}
			if _, err := os.Stat("/bin/bash"); err == nil {
				command = []string{"/bin/bash", "-l"}
			}
			rest := args[1:]
			if len(rest) > 0 && rest[0] == "--" { // as exec has it, and ssh(1) takes it
				rest = rest[1:]
			}
			if len(rest) > 0 {
				command = append(command, "-c", strings.Join(rest, " "))
			}
			return l.exec(ctx, args[0], command)
		},
	}
	c.ValidArgsFunction = l.completeMachines(1)
	c.Flags().SetInterspersed(false)
	return c
}
