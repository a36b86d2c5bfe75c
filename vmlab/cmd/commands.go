package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
	"drydock/vmlab/lima"
	"drydock/vmlab/netns"
	"drydock/vmlab/nspawn"
	"drydock/vmlab/qemu"
	"drydock/vmlab/uml"
)

// drivers are all that this program has; the first is the default.
func drivers() []lab.Driver {
	return []lab.Driver{netns.New(), nspawn.New(), uml.New(), qemu.New(), lima.New()}
}

// driverNames are the names of all drivers.
func driverNames() []string {
	var names []string
	for _, d := range drivers() {
		names = append(names, d.Name())
	}
	return names
}

// Drivers are all drivers of labs, the usual one first.
func Drivers() []lab.Driver { return drivers() }

// findDriver returns the driver of a name.
func findDriver(name string) (lab.Driver, error) {
	for _, d := range drivers() {
		if d.Name() == name {
			return d, nil
		}
	}
	hint := "there is " + strings.Join(driverNames(), ", ")
	if near := ui.Nearest(name, driverNames()); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, ui.Usagef("driver: %q is unknown; %s", name, hint)
}

// labs is what all commands share.
type labs struct {
	env  *ui.Env
	name string // of --lab
	json bool
}

// Commands returns the commands of this folder for the program's root.
func Commands(env *ui.Env) []*cobra.Command {
	l := &labs{env: env}
	c := &cobra.Command{
		Use:   "lab",
		Short: "Run clusters of machines, break them, and throw them away",
		Example: `  drydock lab up --nodes 3
  drydock lab status
  drydock lab exec core-01 -- fleetctl list-machines
  drydock lab down`,
		Args: cobra.NoArgs,
	}
	c.PersistentFlags().StringVar(&l.name, "lab", "", "the lab's name (default: $DRYDOCK_LAB, or the only one)")
	c.AddCommand(newUp(l), newApply(l), newDown(l), newRestart(l), newHalt(l), newStatus(l), newList(l), newExec(l), newSSH(l), newConsole(l), newLogs(l), newEnv(l), newSchema(l), newSnapshot(l), newDoctor(l), newFault(l), newHeal(l), newImage(l), newCalibrate(l), newProbe(l), newKeep(l))
	_ = c.RegisterFlagCompletionFunc("lab", completeLabs)
	l.sayErrors(c)
	return []*cobra.Command{c}
}

// sayErrors has the errors of all commands written as JSON where that is asked for.
func (l *labs) sayErrors(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			if err == nil || !l.json || err.Error() == "" {
				return err
			}
			if said := l.line(map[string]string{"error": err.Error()}); said != nil {
				return said
			}
			return ui.Exit(ui.Code(err), nil)
		}
	}
	for _, below := range c.Commands() {
		l.sayErrors(below)
	}
}

// noLabError says that there is no lab to do something with.
type noLabError struct{ error }

// Unwrap returns what it says.
func (e *noLabError) Unwrap() error { return e.error }

// noLab is such an error, of a wrong call.
func noLab(format string, args ...any) error {
	return ui.Exit(ui.Usage, &noLabError{fmt.Errorf(format, args...)})
}

// store finds the lab that a command is about.
func (l *labs) store() (lab.Store, error) {
	name := l.name
	if name == "" {
		name = l.env.Getenv("DRYDOCK_LAB")
	}
	if name == "" {
		all, err := lab.List(lab.Root)
		switch {
		case err != nil:
			return lab.Store{}, err
		case len(all) == 0:
			return lab.Store{}, noLab("there is no lab here (in %s): drydock lab up makes one", lab.Root)
		case len(all) > 1:
			return lab.Store{}, ui.Usagef("there are several labs here: say which with --lab: %s", strings.Join(all, ", "))
		}
		name = all[0]
	}
	s, err := lab.OpenStore(lab.Root, name)
	if err != nil {
		return s, ui.Exit(ui.Usage, err)
	}
	if _, err := s.Load(); err != nil {
		if all, listErr := lab.List(lab.Root); errors.Is(err, lab.ErrNoLab) && listErr == nil {
			if near := ui.Nearest(name, all); near != "" {
				err = fmt.Errorf("%w; did you mean %s?", err, near)
			}
		}
		if errors.Is(err, lab.ErrNoLab) {
			err = &noLabError{err}
		}
		return s, ui.Exit(ui.Usage, err)
	}
	return s, nil
}

// open finds the lab that a command is about, with what its directory says.
func (l *labs) open() (lab.Store, *lab.State, *keeper.Client, error) {
	s, err := l.store()
	if err != nil {
		return s, nil, nil, err
	}
	st, err := s.Load()
	if err != nil {
		return s, nil, nil, ui.Exit(ui.Usage, err)
	}
	return s, st, keeper.NewClient(s), nil
}

// machine finds a machine of a lab by its name, or by what scenarios call it.
func machine(st *lab.State, name string) (*lab.Machine, error) {
	var names []string
	for i := range st.Machines {
		m := &st.Machines[i]
		if m.Name == name || m.Node == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	hint := "there is " + strings.Join(names, ", ")
	if near := ui.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, ui.Usagef("the lab %s has no machine %q; %s", st.Lab, name, hint)
}

// interrupted returns a context that a signal ends, and the code that an error has
// then.
func interrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// failed is the error of a lab that is not as it should be.
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ui.Exit(ui.Interrupted, errors.New("interrupted"))
	}
	return ui.Exit(ui.WorldFailed, err)
}

// line writes a value as a line of JSON.
func (l *labs) line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.env.Stdout, "%s\n", text)
	return err
}

func (l *labs) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(l.env.Stdout, format, args...)
}
