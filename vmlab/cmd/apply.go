package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newApply(l *labs) *cobra.Command {
	var o upOptions
	var dry bool
	c := &cobra.Command{
		Use:   "apply [--config lab.yaml]",
		Short: "Make a lab what its file says by now",
		Long: "Compare the lab with its file (lab.yaml in this directory, if there is one) and change what\n" +
			"differs: new machines are added, members to the cluster, too; machines that are others\n" +
			"now are rebooted, one after another; those that the file doesn't have any more are taken\n" +
			"out of the cluster and removed. Names, addresses and MACs of machines stay. A lab that\n" +
			"isn't there is made. What the file says already is left alone: a second apply does\n" +
			"nothing.",
		Example: "  drydock lab apply\n  drydock lab apply --dry-run\n  drydock lab apply --nodes 5",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			o.counted = c.Flags().Changed("nodes")
			return failedUp(ctx, l.apply(ctx, &o, dry))
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each event, or the plan")
	return c
}

// apply makes a lab what its file says.
func (l *labs) apply(ctx context.Context, o *upOptions, dry bool) error {
	i, err := l.intent(o)
	if err != nil {
		return err
	}
	lock, err := i.store.Lock()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if !keeper.NewClient(i.store).Lives(ctx) {
		if dry {
			return l.unmade(i)
		}
		return l.begin(ctx, i)
	}
	began, client, want := time.Now(), keeper.NewClient(i.store), i.wanted()
	p, err := client.Plan(ctx, want)
	if err != nil {
		return wrong(err)
	}
	if dry {
		return l.showPlan(p)
	}
	l.header(i.store)
	idle := p.Empty() && l.allOn(ctx, client)
	// An idle apply has the keeper take note of what is no machine's: how long to wait.
	if err := l.watched(i.store, func(tell func(keeper.Event)) error { return client.Apply(ctx, want, tell) }); err != nil {
		l.stays(err)
		return err
	}
	switch {
	case l.json && idle:
		return l.line(p)
	case l.json:
	case idle:
		l.printf("nothing to do: it is as it should be\n")
	default:
		l.printf("applied in %s\n", seconds(time.Since(began)))
	}
	return nil
}

// unmade says what would be done about a lab that isn't there. Looking has made its
// directory.
func (l *labs) unmade(i *intent) error {
	p := &lab.Plan{}
	for _, m := range i.wanted().Machines {
		p.Steps = append(p.Steps, lab.Step{Verb: lab.VerbAdd, Machine: m.Name})
	}
	if _, err := i.store.Load(); err != nil {
		if err := i.store.Remove(); err != nil {
			return err
		}
	}
	return l.showPlan(p)
}

// showPlan writes what would be done.
func (l *labs) showPlan(p *lab.Plan) error {
	switch {
	case l.json:
		return l.line(p)
	case p.Empty():
		l.printf("nothing to do: it is as it should be\n")
	default:
		l.printf("%s", p.String())
	}
	return nil
}

// allOn says whether all machines are on, with healthy nodes.
func (l *labs) allOn(ctx context.Context, client *keeper.Client) bool {
	s, err := client.Status(ctx)
	if err != nil {
		return false
	}
	for i := range s.Machines {
		if m := &s.Machines[i]; m.Power != lab.PowerOn || !m.Healthy {
			return false
		}
	}
	return true
}
