package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

type upOptions struct {
	file, driver string
	nodes        int
}

func newUp(l *labs) *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up [--config lab.yaml]",
		Short: "Make a lab, or switch on what is off in one",
		Long: "Make the machines of a lab file (lab.yaml in this directory, if there is one) or so many\n" +
			"members, with a cluster of their own, and wait until all are ready. In a lab that is\n" +
			"up, machines that are off are switched on.",
		Example: "  drydock lab up --nodes 3\n  drydock lab up --config lab.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			return failedUp(ctx, l.up(ctx, &o))
		},
	}
	c.Flags().StringVarP(&o.file, "config", "c", "", "the lab file (default lab.yaml, where there is one)")
	c.Flags().StringVar(&o.driver, "driver", "", "what machines are made of: netns")
	c.Flags().IntVar(&o.nodes, "nodes", 0, "so many members (default 3), instead of a lab file")
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each event")
	return c
}

// failedUp leaves errors that have a code as they are.
func failedUp(ctx context.Context, err error) error {
	if err == nil || ui.Code(err) != ui.Usage || errors.As(err, new(*usageError)) {
		return err
	}
	return failed(ctx, err)
}

// usageError marks what the caller did wrong.
type usageError struct{ error }

// Unwrap returns the marked error.
func (e *usageError) Unwrap() error { return e.error }

// wrong marks an error as the caller's.
func wrong(err error) error { return ui.Exit(ui.Usage, &usageError{err}) }

// defaultFile is the lab file that is taken where none is named.
const defaultFile = "lab.yaml"

// spec reads the lab file, or makes one of the flags.
func (o *upOptions) spec(name string) (*lab.Spec, error) {
	file := o.file
	if file == "" && o.nodes == 0 {
		if _, err := os.Stat(defaultFile); err == nil {
			file = defaultFile
		}
	}
	if file != "" && o.nodes != 0 {
		return nil, errors.New("--nodes and --config say both which machines there are: leave one out")
	}
	var s *lab.Spec
	if file == "" {
		if o.nodes == 0 {
			o.nodes = 3
		}
		if o.nodes < 1 || o.nodes > lab.MaxMembers {
			return nil, fmt.Errorf("--nodes %d: 1 to %d members are possible; more machines are workers, in a lab file", o.nodes, lab.MaxMembers)
		}
		s = lab.Default(o.nodes)
	} else {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if s, err = lab.Parse(file, text); err != nil {
			return nil, err
		}
		if err := s.ReadUserData(); err != nil {
			return nil, err
		}
	}
	if o.driver != "" {
		s.Driver = o.driver
	}
	if name != "" {
		if !lab.IsName(name) {
			return nil, fmt.Errorf("--lab %q is not a name: small letters, digits and hyphens", name)
		}
		s.Name = name
	}
	return s, nil
}

// up makes the lab, or goes on with the one that is there.
func (l *labs) up(ctx context.Context, o *upOptions) error {
	spec, err := o.spec(l.name)
	if err != nil {
		return wrong(err)
	}
	driver, err := findDriver(spec.Driver)
	if err != nil {
		return wrong(err)
	}
	if err := driver.Check(spec); err != nil {
		return wrong(err)
	}
	if driver.Capabilities().Has(lab.NeedsRoot) && os.Geteuid() != 0 {
		return ui.Exit(ui.WorldFailed, fmt.Errorf("the driver %s needs root: sudo drydock lab up (drydock lab doctor says which drivers work here)", driver.Name()))
	}
	store, err := lab.OpenStore(lab.Root, spec.Name)
	if err != nil {
		return wrong(err)
	}
	lock, err := store.Lock()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	began := time.Now()
	if !store.KeeperLives() {
		if err := l.found(ctx, store, driver, spec); err != nil {
			return err
		}
	}
	l.header(store, spec)
	if err := keeper.NewClient(store).Up(ctx, nil, l.tell(store)); err != nil {
		if !l.json {
			l.printf("\nThe lab stays as it is, to be looked into; drydock lab down removes it.\n")
		}
		return err
	}
	if !l.json {
		l.printf("ready in %s   drydock lab status · exec NAME -- COMMAND · fault · down\n", seconds(time.Since(began)))
	}
	return nil
}

// found makes a lab's directory and starts its keeper. What an earlier lab of the
// name has left is removed first.
func (l *labs) found(ctx context.Context, store lab.Store, driver lab.Driver, spec *lab.Spec) error {
	if err := l.reap(store, driver); err != nil {
		return err
	}
	if err := os.MkdirAll(store.Dir+"/bin", 0o755); err != nil {
		return err
	}
	if err := copyFile(l.env.Executable, store.Binary()); err != nil {
		return err
	}
	if err := store.Save(lab.NewState(spec, time.Now())); err != nil {
		return err
	}
	return startKeeper(ctx, store)
}

// reap removes what a lab that has no keeper any more has left, and says so.
func (l *labs) reap(store lab.Store, driver lab.Driver) error {
	st, err := store.Load()
	if errors.Is(err, lab.ErrNoLab) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Driver != driver.Name() {
		if driver, err = findDriver(st.Driver); err != nil {
			return err
		}
	}
	found, err := driver.Reap(store.Site(st))
	for _, what := range found {
		_, _ = fmt.Fprintf(l.env.Stderr, "left by a keeper that was killed, and removed: %s\n", what)
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(store.Dir + "/machines")
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// keeperPatience is how long a keeper may take until it answers.
const keeperPatience = 20 * time.Second

// startKeeper starts the lab's keeper, which goes on when this process ends.
func startKeeper(ctx context.Context, store lab.Store) error {
	log, err := os.OpenFile(store.KeeperLog(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(store.Binary(), "lab", "keep", store.Dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = store.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	client := keeper.NewClient(store)
	for {
		if client.Answers(ctx) {
			return nil
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(store.KeeperLog())
			return fmt.Errorf("the lab's keeper has ended: %v\n%s", err, strings.TrimSpace(string(text)))
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-ended
			return fmt.Errorf("the lab's keeper does not answer; see %s: %w", store.KeeperLog(), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// header says what is coming up.
func (l *labs) header(store lab.Store, spec *lab.Spec) {
	if l.json {
		return
	}
	total := 0
	for _, g := range spec.Machines {
		total += g.Count
	}
	l.printf("lab %s   %s   %d machines   in %s\n", l.env.Paint(spec.Name, ui.Bold), spec.Driver, total, store.Dir)
}

// tell returns what writes events: for programs all, for people one line for each
// machine that is where it should be, and all of a failure.
func (l *labs) tell(store lab.Store) func(keeper.Event) {
	return func(e keeper.Event) {
		if l.json {
			_ = l.line(e)
			return
		}
		switch e.What {
		case keeper.WhatReady:
			l.printf("  %-10s %-15s %s   %6s   %s\n", e.Machine, address(store, e.Machine), l.env.Paint("ready ", ui.Green), seconds(e.Elapsed), ports(store, e.Machine))
		case keeper.WhatHalted:
			l.printf("  %-10s halted   %6s   %s\n", e.Machine, seconds(e.Elapsed), e.Text)
		case keeper.WhatPort:
			l.printf("  %-10s %s\n", e.Machine, e.Text)
		case keeper.WhatFailed:
			l.printf("  %-10s %s   %6s   %s\n", e.Machine, l.env.Paint("failed", ui.Red), seconds(e.Elapsed), e.Text)
			if len(e.Console) == 0 {
				l.printf("    nothing on its console, %s\n", e.ConsoleFile)
				return
			}
			l.printf("    the end of its console, %s:\n", e.ConsoleFile)
			for _, line := range e.Console {
				l.printf("    | %s\n", line)
			}
		}
	}
}

// address is a machine's, "" if it is not known.
func address(store lab.Store, name string) string {
	if st, err := store.Load(); err == nil {
		if m, err := machine(st, name); err == nil {
			return m.Address.String()
		}
	}
	return ""
}

// ports writes where a machine's ports are on the host.
func ports(store lab.Store, name string) string {
	st, err := store.Load()
	if err != nil {
		return ""
	}
	m, err := machine(st, name)
	if err != nil {
		return ""
	}
	var words []string
	for _, p := range m.Ports {
		words = append(words, fmt.Sprintf("127.0.0.1:%d → %d", p.Host, p.Guest))
	}
	return strings.Join(words, "  ")
}

// seconds writes a time for people.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
