package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newDown(l *labs) *cobra.Command {
	var all, now bool
	c := &cobra.Command{
		Use:     "down",
		Short:   "Remove a lab, with all that its machines have written",
		Example: "  drydock lab down\n  drydock lab down --all --now",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			stores, err := l.chosen(all)
			if none := new(noLabError); err != nil && l.name == "" && errors.As(err, &none) && l.env.Getenv("DRYDOCK_LAB") == "" {
				l.nothing()
				return nil
			}
			if err != nil {
				return err
			}
			if len(stores) == 0 {
				l.nothing()
			}
			var errs []error
			for _, store := range stores {
				errs = append(errs, l.down(ctx, store, now))
			}
			return failed(ctx, errors.Join(errs...))
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all labs of this directory")
	c.Flags().BoolVar(&now, "now", false, "cut the machines' power instead of asking them to halt")
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each event")
	return c
}

// nothing says that there is no lab to remove, which is what down is for.
func (l *labs) nothing() {
	if !l.json {
		l.printf("there is no lab here (in %s)\n", lab.Root)
	}
}

// chosen are the labs that a command is about.
func (l *labs) chosen(all bool) ([]lab.Store, error) {
	if !all {
		store, err := l.store()
		return []lab.Store{store}, err
	}
	names, err := lab.List(lab.Root)
	if err != nil {
		return nil, err
	}
	var list []lab.Store
	for _, name := range names {
		store, err := lab.OpenStore(lab.Root, name)
		if err != nil {
			return nil, ui.Exit(ui.Usage, err)
		}
		list = append(list, store)
	}
	return list, nil
}

// down removes one lab, whether its keeper lives or not.
func (l *labs) down(ctx context.Context, store lab.Store, now bool) error {
	lock, err := store.Lock()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	began := time.Now()
	client := keeper.NewClient(store)
	if store.KeeperLives() && !client.Answers(ctx) && client.Lives(ctx) {
		_, _ = fmt.Fprintf(l.env.Stderr, "the keeper of %s does not answer: it is killed\n", store.Name())
		if err := client.Kill(ctx); err != nil {
			return err
		}
	}
	if err := l.end(ctx, store, client, now); err != nil {
		return err
	}
	st, err := store.Load()
	switch {
	case errors.Is(err, lab.ErrNoLab):
		return store.Remove()
	case err != nil:
		return err
	}
	driver, err := findDriver(st.Driver)
	if err != nil {
		return err
	}
	if err := l.reap(store, driver); err != nil {
		return err
	}
	if err := store.Remove(); err != nil {
		return err
	}
	if !l.json {
		l.printf("lab %s is down, nothing of it is left   %s\n", st.Lab, seconds(time.Since(began)))
	}
	return nil
}

// downPatience is how long a keeper may take to end all that it holds, machines that
// are asked to halt included.
const downPatience = 2 * time.Minute

// end has the keeper end, and kills one that doesn't: what it holds goes with it.
func (l *labs) end(ctx context.Context, store lab.Store, client *keeper.Client, now bool) error {
	within, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	err := l.watched(store, func(tell func(keeper.Event)) error { return client.Down(within, now, tell) })
	if err == nil || errors.Is(err, keeper.ErrDown) || errors.Is(err, keeper.ErrCut) {
		err = awaitKeeper(within, store)
	}
	if err == nil || ctx.Err() != nil || !store.KeeperLives() {
		return err
	}
	_, _ = fmt.Fprintf(l.env.Stderr, "the keeper of %s does not come to an end: it is killed (%v)\n", store.Name(), err)
	return client.Kill(ctx)
}

// awaitKeeper returns when the keeper has ended.
func awaitKeeper(ctx context.Context, store lab.Store) error {
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	for store.KeeperLives() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the lab's keeper has not ended; see %s: %w", store.KeeperLog(), ctx.Err())
		}
	}
	return nil
}

// newKeep is the keeper's own command, which up starts.
func newKeep(l *labs) *cobra.Command {
	return &cobra.Command{
		Use: "keep DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			store := lab.Store{Dir: args[0]}
			st, err := store.Load()
			if err != nil {
				return ui.Exit(ui.Usage, err)
			}
			driver, err := findDriver(st.Driver)
			if err != nil {
				return err
			}
			k, err := keeper.Open(ctx, store, driver)
			if err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			return ui.Exit(ui.WorldFailed, k.Serve(ctx))
		},
	}
}
