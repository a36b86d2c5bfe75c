package inject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"drydock/chaos"
	"drydock/vmlab/lab"
)

// setTime is how long a machine may take to set its clock.
const setTime = 20 * time.Second

// ownClocks says whether machines have clocks of their own, which their nodes go by.
func ownClocks(d lab.Driver) bool {
	can := d.Capabilities()
	return can.Has(lab.HasKernel) && !can.Has(lab.HasControl)
}

// setClocks sets the calendars of machines that have clocks of their own. Nobody can
// set a monotonic clock.
func (i *Injector) setClocks(f chaos.Fault) (Undo, string, error) {
	p, ok := f.Params.(*chaos.ClockJump)
	if !ok || p.Clock != chaos.ClockWall {
		return nil, "", &lab.MissingError{What: string(f.Kind) + " of a monotonic clock", Driver: i.Driver.Name(), Needs: lab.HasControl}
	}
	by := p.By
	if p.Direction == "back" {
		by = -by
	}
	undo, err := i.each(f.Nodes, func(m *lab.Machine) (Undo, error) {
		if err := i.setClock(m, by); err != nil {
			return nil, err
		}
		return func() error {
			if i.Ground.Vitals(m.Name).Power != lab.PowerOn {
				return nil // its next life has right clocks
			}
			return i.setClock(m, 0)
		}, nil
	})
	return undo, "", err
}

// setClock sets a machine's calendar to the host's and so much more.
func (i *Injector) setClock(m *lab.Machine, by time.Duration) error {
	return i.run(m, []string{"date", "-u", "-s", fmt.Sprintf("@%d", time.Now().Add(by).Unix())})
}

// run runs a command on a machine, whose status 0 says that it has worked.
func (i *Injector) run(m *lab.Machine, args []string) error {
	a, err := i.Ground.Access(m.Name)
	if err != nil {
		return err
	}
	none, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), setTime)
	defer cancel()
	code, err := i.Driver.Exec(ctx, a, lab.Command{
		Args:  args,
		Stdin: none, Stdout: none, Stderr: none, Program: i.Site.Binary,
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %s ended with %d", m.Name, args[0], code)
	}
	return errors.Join(err, none.Close())
}
