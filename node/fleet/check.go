package fleet

import (
	"fmt"
	"strings"
	"unicode"

	"drydock/node/unit"
)

// Check says why no state takes the command, whatever is in it; nil if that depends
// on the state. Whoever proposes has to ask: a command that can't be read stops
// every replica.
func (c *Command) Check() error {
	n := 0
	for _, set := range [...]bool{
		c.Put != nil, c.Destroy != nil, c.Patch != nil, c.Drain != nil,
		c.Open != nil, c.Close != nil, c.Report != nil, c.Place != nil,
	} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("%w: a command of %d changes", ErrStale, n)
	}
	switch {
	case c.Put != nil:
		return c.Put.check()
	case c.Destroy != nil:
		return fits("name", c.Destroy.Name, unit.MaxName)
	case c.Patch != nil:
		return c.Patch.check()
	case c.Drain != nil:
		return fits("machine", c.Drain.Machine, MaxWordBytes)
	case c.Open != nil:
		return c.Open.Machine.check()
	case c.Close != nil:
		return firstError(fits("machine", c.Close.Machine, MaxWordBytes), fits("reason", c.Close.Why, MaxValueBytes))
	case c.Report != nil:
		return c.Report.check()
	}
	return c.Place.check()
}

// fits refuses a string that takes too many bytes.
func fits(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrTooLarge, what, len(s), limit)
	}
	return nil
}

// few refuses a list that is too long.
func few(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%w: %d %s, at most %d", ErrTooLarge, n, what, limit)
	}
	return nil
}

// plain refuses what would do more to a terminal than show: machines are believed less
// than users, who see what these say of themselves.
func plain(what, s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%w: its %s %q has control characters", ErrMachine, what, s)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Put) check() error {
	if p.Desired != nil && *p.Desired > Launched {
		return fmt.Errorf("%w: %d", ErrDesired, *p.Desired)
	}
	return firstError(fits("name", p.Name, unit.MaxName), fits("unit file", p.Text, MaxTextBytes))
}

func (p *Patch) check() error {
	if err := few("changes of metadata", len(p.Ops), MaxOps); err != nil {
		return err
	}
	for _, op := range p.Ops {
		value := ""
		if op.Value != nil {
			value = *op.Value
		}
		switch {
		case !isWord(op.Machine) || strings.Contains(op.Machine, "/"):
			return fmt.Errorf("%w: %.*q can't be a machine's id", ErrMetadata, MaxWordBytes, op.Machine)
		case !isKey(op.Key):
			return fmt.Errorf("%w: %.*q can't be a key: it takes letters, digits and any of _.-", ErrMetadata, MaxWordBytes, op.Key)
		case len(value) > MaxValueBytes:
			return fmt.Errorf("%w: the value of %s takes %d bytes, at most %d", ErrTooLarge, op.Key, len(value), MaxValueBytes)
		}
	}
	return nil
}

// isWord says whether s can be stored as a name.
func isWord(s string) bool {
	return s != "" && len(s) <= MaxWordBytes && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isKey says whether s can be a key of metadata: fleet's rule for what users set.
func isKey(s string) bool {
	return isWord(s) && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && r != '_' && r != '.' && r != '-'
	})
}

// IsMachineID says whether s is a machine's id: 32 small hex digits.
func IsMachineID(s string) bool {
	return len(s) == machineIDBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// check refuses what can't be stored of a machine.
func (m *Machine) check() error {
	if !IsMachineID(m.ID) {
		return fmt.Errorf("%w: %.*q is no machine's id, which has %d hex digits", ErrMachine, MaxWordBytes, m.ID, machineIDBytes)
	}
	err := firstError(
		fits("name", m.Name, MaxWordBytes), fits("address", m.PrimaryIP, MaxWordBytes),
		fits("version", m.Version, MaxWordBytes), fits("boot", m.Boot, MaxWordBytes),
		few("URLs", len(m.URLs), MaxURLs), few("keys of metadata", len(m.Metadata), MaxMetadata),
		few("resources", len(m.Resources), MaxResources),
	)
	err = firstError(err, plain("name", m.Name), plain("address", m.PrimaryIP), plain("version", m.Version), plain("boot", m.Boot))
	if err != nil {
		return err
	}
	for _, u := range m.URLs {
		if err := firstError(fits("URL", u, MaxValueBytes), plain("URL", u)); err != nil {
			return err
		}
	}
	for key, value := range sorted(m.Metadata) {
		if !isWord(key) {
			return fmt.Errorf("%w: %.*q can't be a key", ErrMetadata, MaxWordBytes, key)
		}
		if err := firstError(fits("value of "+key, value, MaxValueBytes), plain("value of "+key, value)); err != nil {
			return err
		}
	}
	for name, amount := range sorted(m.Resources) {
		if !isWord(name) || amount < 0 {
			return fmt.Errorf("%w: %d of resource %.*q", ErrMachine, amount, MaxWordBytes, name)
		}
	}
	return nil
}

func (p *Report) check() error {
	err := firstError(fits("machine", p.Machine, MaxWordBytes), few("states", len(p.States), MaxReported), few("units gone", len(p.Gone), MaxReported))
	if err != nil {
		return err
	}
	for i := range p.States {
		st := &p.States[i]
		err := firstError(
			fits("name", st.Unit, unit.MaxName), fits("load state", st.Load, MaxWordBytes), fits("active state", st.Active, MaxWordBytes),
			fits("sub state", st.Sub, MaxWordBytes), fits("result", st.Result, MaxWordBytes), fits("reason", st.Why, MaxValueBytes),
		)
		if err != nil {
			return err
		}
	}
	for _, g := range p.Gone {
		if err := fits("name", g.Unit, unit.MaxName); err != nil {
			return err
		}
	}
	return nil
}

func (p *Place) check() error {
	if err := few("moves", len(p.Moves), MaxMoves); err != nil {
		return err
	}
	for _, m := range p.Moves {
		err := firstError(
			fits("name", m.Unit, unit.MaxName), fits("machine", m.From, MaxWordBytes), fits("machine", m.To, MaxWordBytes),
			fits("reason", m.Why, MaxValueBytes),
		)
		if err != nil {
			return err
		}
	}
	return nil
}
