package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newRestart(l *labs) *cobra.Command {
	c := l.powerCommand("restart", (*keeper.Client).Restart)
	c.Short = "Halt machines and bring them up again, on the disks that they have"
	c.Example = "  drydock lab restart core-02\n  drydock lab restart --all --now"
	return c
}

func newHalt(l *labs) *cobra.Command {
	c := l.powerCommand("halt", (*keeper.Client).Halt)
	c.Short = "Switch machines off; drydock lab up switches them on again"
	c.Example = "  drydock lab halt core-02\n  drydock lab halt --now core-01 core-03"
	return c
}

// powerCommand is a command that switches machines off, and may switch them on again.
func (l *labs) powerCommand(name string, do func(*keeper.Client, context.Context, []string, bool, func(keeper.Event)) error) *cobra.Command {
	var all, now bool
	c := &cobra.Command{
		Use:               name + " MACHINE…",
		ValidArgsFunction: l.completeMachines(0),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			store, st, client, err := l.open()
			if err != nil {
				return err
			}
			names, err := chosenMachines(st, name, args, all)
			if err != nil {
				return err
			}
			err = l.watched(store, func(tell func(keeper.Event)) error { return do(client, ctx, names, now, tell) })
			return failed(ctx, downHint(err, store))
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all machines, at once")
	c.Flags().BoolVar(&now, "now", false, "cut their power instead of asking them to halt")
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each event")
	return c
}

// chosenMachines are the machines that a call names.
func chosenMachines(st *lab.State, command string, args []string, all bool) ([]string, error) {
	if len(args) == 0 && !all {
		return nil, ui.Usagef("a machine is needed, or --all: drydock lab %s %s", command, st.Machines[0].Name)
	}
	if len(args) > 0 && all {
		return nil, ui.Usagef("--all is all machines: leave the names out")
	}
	var names []string
	for _, arg := range args {
		m, err := machine(st, arg)
		if err != nil {
			return nil, err
		}
		names = append(names, m.Name)
	}
	return names, nil
}
