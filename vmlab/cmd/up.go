package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	// counted says that nodes was given.
	counted bool
}

// flags defines the options' flags.
func (o *upOptions) flags(c *cobra.Command) {
	c.Flags().StringVarP(&o.file, "config", "c", "", "the lab file (default lab.yaml, where there is one)")
	c.Flags().StringVar(&o.driver, "driver", "", "what machines are made of: "+strings.Join(driverNames(), ", "))
	c.Flags().IntVar(&o.nodes, "nodes", 0, "so many members (default 3), instead of a lab file")
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(driverNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.MarkFlagFilename("config", "yaml", "yml")
}

// said says whether the call or a lab file here says what the lab is to be.
func (o *upOptions) said() bool {
	if o.file != "" || o.driver != "" || o.counted {
		return true
	}
	_, err := os.Stat(defaultFile)
	return err == nil
}

func newUp(l *labs) *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up [--config lab.yaml]",
		Short: "Make a lab, or switch on what is off in one",
		Long: "Make the machines of a lab file (lab.yaml in this directory, if there is one) or so many\n" +
			"members, with a cluster of their own, and wait until all are ready. In a lab that is\n" +
			"up, machines that are off are switched on.",
		Example: "  drydock lab up --nodes 3\n  drydock lab up --driver uml\n  drydock lab up --config lab.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.counted = c.Flags().Changed("nodes")
			ctx, stop := interrupted(c.Context())
			defer stop()
			return failedUp(ctx, l.up(ctx, &o))
		},
	}
	o.flags(c)
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
	if file == "" && !o.counted {
		if _, err := os.Stat(defaultFile); err == nil {
			file = defaultFile
		}
	}
	if file != "" && o.counted {
		return nil, errors.New("--nodes and --config say both which machines there are: leave one out")
	}
	var s *lab.Spec
	if file == "" {
		if !o.counted {
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
		if err := s.CheckShares(); err != nil {
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

// intent is what a call of up or apply is about.
type intent struct {
	spec   *lab.Spec
	store  lab.Store
	driver lab.Driver
	// old is the lab's state if the call says nothing of what it is to be.
	old *lab.State
}

// intent reads what a call says, or finds the lab that it is about.
func (l *labs) intent(o *upOptions) (*intent, error) {
	i := new(intent)
	var err error
	if all, listErr := lab.List(lab.Root); !o.said() && listErr == nil && len(all) > 0 {
		var none *noLabError
		i.store, i.old, _, err = l.open()
		switch {
		case err == nil:
			i.spec = i.old.Spec
		case !errors.As(err, &none):
			return nil, wrong(err)
		}
	}
	if i.spec == nil {
		if i.spec, err = o.spec(l.name); err != nil {
			return nil, wrong(err)
		}
		if i.store, err = lab.OpenStore(lab.Root, i.spec.Name); err != nil {
			return nil, wrong(err)
		}
	}
	if i.driver, err = findDriver(i.spec.Driver); err != nil {
		return nil, wrong(err)
	}
	if err := lab.Check(i.driver, i.spec); err != nil {
		return nil, wrong(err)
	}
	if i.driver.Capabilities().Has(lab.NeedsRoot) && os.Geteuid() != 0 {
		return nil, ui.Exit(ui.WorldFailed, fmt.Errorf("the driver %s needs root: sudo drydock lab up (drydock lab doctor says which drivers work here)", i.driver.Name()))
	}
	return i, nil
}

// state is that of the lab when it is made.
func (i *intent) state() *lab.State {
	if i.old != nil {
		return i.old.Anew(time.Now())
	}
	return lab.NewState(i.spec, time.Now())
}

// wanted is what the lab is to be.
func (i *intent) wanted() keeper.Wanted {
	return keeper.Wanted{Spec: i.spec, Machines: i.state().Machines}
}

// up makes the lab, or goes on with the one that is there.
func (l *labs) up(ctx context.Context, o *upOptions) error {
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
		return l.begin(ctx, i)
	}
	if i.old == nil {
		p, err := keeper.NewClient(i.store).Plan(ctx, i.wanted())
		if err != nil {
			return wrong(err)
		}
		if !p.Empty() {
			return wrong(fmt.Errorf("the lab %s is up and is to be another one; drydock lab apply makes it so:\n%s", i.spec.Name, strings.TrimRight(p.String(), "\n")))
		}
	}
	return l.bring(ctx, i, time.Now())
}

// begin makes a lab and brings it up.
func (l *labs) begin(ctx context.Context, i *intent) error {
	began := time.Now()
	if err := l.found(ctx, i); err != nil {
		return err
	}
	return l.bring(ctx, i, began)
}

// bring switches on what is off, and tells how long all has taken.
func (l *labs) bring(ctx context.Context, i *intent, began time.Time) error {
	l.header(i.store)
	err := l.watched(i.store, func(tell func(keeper.Event)) error { return keeper.NewClient(i.store).Up(ctx, nil, tell) })
	if err != nil {
		l.stays(err)
		return err
	}
	if !l.json {
		l.printf("ready in %s   drydock lab status · exec NAME -- COMMAND · fault · down\n", seconds(time.Since(began)))
	}
	return nil
}

// stays says what becomes of a lab that is not what it should be.
func (l *labs) stays(err error) {
	switch {
	case l.json:
	case errors.Is(err, keeper.ErrCut), errors.Is(err, keeper.ErrDown):
		l.printf("\nNothing of the lab runs any more; drydock lab up makes it anew, drydock lab down removes it.\n")
	default:
		l.printf("\nThe lab stays as it is, to be looked into; drydock lab up goes on with it, drydock lab down removes it.\n")
	}
}

// found makes a lab's directory and starts its keeper. What an earlier lab of the
// name has left is removed first; of one that can't be made, nothing is left.
func (l *labs) found(ctx context.Context, i *intent) (err error) {
	state := i.state()
	if err := l.reap(i.store, i.driver); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.reap(i.store, i.driver), i.store.Remove())
		}
	}()
	if err := os.MkdirAll(i.store.Dir+"/bin", 0o755); err != nil {
		return err
	}
	if err := copyFile(l.env.Executable, i.store.Binary()); err != nil {
		return err
	}
	if c, ok := i.driver.(lab.Companion); ok {
		path, err := c.Companion()
		if err != nil {
			return err
		}
		if err := copyFile(path, filepath.Join(filepath.Dir(i.store.Binary()), filepath.Base(path))); err != nil {
			return err
		}
	}
	if err := i.store.Save(state); err != nil {
		return err
	}
	return startKeeper(ctx, i.store)
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
	return store.RemoveMachines()
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

// errUnmade is matched when there is no lab in the end.
var errUnmade = errors.New("the lab can't be made")

// dyingPatience is how long one that is to end may take.
const dyingPatience = 5 * time.Second

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
			if text := strings.TrimSpace(string(text)); text != "" {
				return fmt.Errorf("%w: %s (drydock lab doctor tries all that drivers need)", errUnmade, text)
			}
			return fmt.Errorf("%w: its keeper has ended: %w", errUnmade, err)
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM) // it takes what it has made with it
			select {
			case <-ended:
			case <-time.After(dyingPatience):
				_ = cmd.Process.Kill()
				<-ended
			}
			return fmt.Errorf("the lab's keeper does not answer; see %s: %w", store.KeeperLog(), ctx.Err())
		case <-time.After(5 * time.Millisecond):
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
