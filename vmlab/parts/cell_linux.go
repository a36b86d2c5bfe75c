package parts

import (
	"errors"
	"os"
	"os/exec"

	"drydock/vmlab/lab"
)

// Cell is where the processes of a yard's machine run while it is on: its network
// namespace with its link, its control group, the file that its console is written to;
// its first process, and what that is told by. What of it is not there yet is nil.
type Cell struct {
	Space   *Space
	Group   *Group
	Console *os.File
	Cmd     *exec.Cmd
	Control *os.File
}

// Open makes a machine's cell. What there is of it Close ends, also if this fails.
func (c *Cell) Open(y *Yard, m *lab.Machine) (err error) {
	site := y.Site()
	if c.Space, err = NewSpace(); err != nil {
		return err
	}
	if err := y.cable.Plug(m.Name, m.MAC, c.Space); err != nil {
		return err
	}
	if err := Address(c.Space, m.Address, 24); err != nil {
		return err
	}
	if err := Acquaint(c.Space, site.Machines, m.Name); err != nil {
		return err
	}
	if c.Group, err = y.groups.Make(y.key, m.Name, m.MemoryMax, m.CPUs); err != nil {
		return err
	}
	c.Console, err = os.OpenFile(site.Console(m.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

// Spread gives the machine groups in all hierarchies, for those that make some of their
// own.
func (c *Cell) Spread(y *Yard, m *lab.Machine) error { return y.groups.Spread(c.Group, y.key, m.Name) }

// Close ends what runs in the cell, and the cell; gone is closed when its first process,
// if that was started, has ended. The link goes first: what dies then is not heard of.
func (c *Cell) Close(y *Yard, m *lab.Machine, gone <-chan struct{}) error {
	errs := []error{y.cable.Unplug(m.Name)}
	if c.Group != nil {
		errs = append(errs, c.Group.Freeze(false), c.Group.Kill())
	}
	if c.Cmd != nil && c.Cmd.Process != nil {
		_ = c.Cmd.Process.Kill() // it may not have been in its group yet
		<-gone
	}
	for _, f := range []*os.File{c.Control, c.Console} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if c.Group != nil {
		errs = append(errs, c.Group.Remove())
	}
	if c.Space != nil {
		errs = append(errs, c.Space.Close())
	}
	return errors.Join(errs...)
}

// Use says what processes of the group use.
func (g *Group) Use(v *lab.Vitals) {
	for _, pid := range g.Pids() {
		v.Processes++
		memory, cpu := Usage(pid)
		v.MemoryBytes += memory
		v.CPU += cpu
	}
}
