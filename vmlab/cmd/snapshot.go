package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newSnapshot(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Keep the state of all machines, and go back to it",
		Long: "Keep what all machines of a lab have in memory and on their disks at one moment, and bring\n" +
			"them back there, as often as you like. Machines stand still while it is taken. After a\n" +
			"restoration their clocks are set to the host's; connections from outside are lost, those\n" +
			"among machines go on. Snapshots go with the lab. It takes a driver whose machines are\n" +
			"virtual: qemu.",
		Example: "  drydock lab snapshot save ready\n  drydock lab fault crash leader\n  drydock lab snapshot restore ready",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newSnapshotSave(l), newSnapshotRestore(l), newSnapshotList(l), newSnapshotDelete(l))
	return c
}

// snapshots is a lab whose driver keeps states.
type snapshots struct {
	store  lab.Store
	client *keeper.Client
}

// openSnapshots finds the lab that a command is about. Without the driver's
// capability it is refused.
func (l *labs) openSnapshots() (*snapshots, error) {
	store, st, client, err := l.open()
	if err != nil {
		return nil, err
	}
	driver, err := findDriver(st.Driver)
	if err != nil {
		return nil, err
	}
	if !driver.Capabilities().Has(lab.HasSnapshot) {
		return nil, ui.Exit(ui.Usage, &lab.MissingError{What: "snapshots", Driver: driver.Name(), Needs: lab.HasSnapshot, Why: "--driver qemu has it"})
	}
	return &snapshots{store, client}, nil
}

// find looks a snapshot up.
func (s *snapshots) find(ctx context.Context, name string) (*lab.Snapshot, error) {
	list, err := s.client.Snapshots(ctx)
	if err != nil {
		return nil, failed(ctx, downHint(err, s.store))
	}
	var names []string
	for i := range list {
		if list[i].Name == name {
			return &list[i], nil
		}
		names = append(names, list[i].Name)
	}
	hint := "there is none: drydock lab snapshot save " + name
	if near := ui.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(names) > 0 {
		hint = "there is " + strings.Join(names, ", ")
	}
	return nil, ui.Usagef("the lab %s has no snapshot %q; %s", s.store.Name(), name, hint)
}

// completeSnapshots has a shell complete snapshots' names.
func (l *labs) completeSnapshots(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := l.openSnapshots()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, _ := s.client.Snapshots(c.Context()) // without them nothing is completed
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func newSnapshotSave(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "save NAME",
		Short: "Keep the state of all machines under a name",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			if !lab.IsName(args[0]) {
				return ui.Usagef("%q is no name of a snapshot: small letters, digits and hyphens", args[0])
			}
			s, err := l.openSnapshots()
			if err != nil {
				return err
			}
			if _, err := s.find(ctx, args[0]); err == nil {
				return ui.Exit(ui.Usage, fmt.Errorf("%s: %w", args[0], lab.ErrSnapshotExists))
			} else if ui.Code(err) != ui.Usage {
				return err
			}
			kept, err := s.client.SaveSnapshot(ctx, args[0])
			if err != nil {
				return failed(ctx, downHint(err, s.store))
			}
			if l.json {
				return l.line(kept)
			}
			l.printf("snapshot %s   %s   they stood still for %s\n", l.env.Paint(kept.Name, ui.Bold), machinesOf(kept), seconds(kept.Paused))
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	return c
}

// machinesOf says how the machines of a snapshot were.
func machinesOf(s *lab.Snapshot) string {
	count := map[lab.Power]int{}
	for _, m := range s.Machines {
		count[m.Power]++
	}
	var words []string
	for _, p := range []lab.Power{lab.PowerOn, lab.PowerPaused, lab.PowerOff} {
		if n := count[p]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, p))
		}
	}
	return "machines: " + strings.Join(words, ", ")
}

func newSnapshotRestore(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:               "restore NAME",
		Short:             "Bring all machines back to where they were",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: l.completeSnapshots,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			s, err := l.openSnapshots()
			if err != nil {
				return err
			}
			kept, err := s.find(ctx, args[0])
			if err != nil {
				return err
			}
			began := time.Now()
			err = l.watched(s.store, func(tell func(keeper.Event)) error { return s.client.RestoreSnapshot(ctx, args[0], tell) })
			if err != nil {
				return failed(ctx, downHint(err, s.store))
			}
			if !l.json {
				l.printf("as it was %s ago, in %s\n", time.Since(kept.Taken).Round(time.Second), seconds(time.Since(began)))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each event")
	return c
}

func newSnapshotList(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List what was kept",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := l.openSnapshots()
			if err != nil {
				return err
			}
			list, err := s.client.Snapshots(c.Context())
			if err != nil {
				return failed(c.Context(), downHint(err, s.store))
			}
			if l.json {
				var errs []error
				for i := range list {
					errs = append(errs, l.line(list[i]))
				}
				return errors.Join(errs...)
			}
			t := ui.NewTable(l.env.Stdout)
			t.Row("  NAME", "TAKEN", "MACHINES", "STOOD STILL")
			for i := range list {
				one := &list[i]
				t.Row("  "+one.Name, one.Taken.Local().Format(time.DateTime), strings.TrimPrefix(machinesOf(one), "machines: "), seconds(one.Paused))
			}
			t.Flush()
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each")
	return c
}

func newSnapshotDelete(l *labs) *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAME",
		Short:             "Give one up",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: l.completeSnapshots,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			s, err := l.openSnapshots()
			if err != nil {
				return err
			}
			if _, err := s.find(ctx, args[0]); err != nil {
				return err
			}
			return failed(ctx, downHint(s.client.DeleteSnapshot(ctx, args[0]), s.store))
		},
	}
}
