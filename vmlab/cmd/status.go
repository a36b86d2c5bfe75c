package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newStatus(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the machines: power, role, term, health, units, what they use",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			store, st, client, err := l.open()
			if err != nil {
				return err
			}
			s, err := client.Status(c.Context())
			if err != nil {
				return failed(c.Context(), downHint(err, store))
			}
			if l.json {
				return l.line(s)
			}
			l.showStatus(st, s)
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	return c
}

// downHint says what to do about a lab that has no keeper.
func downHint(err error, store lab.Store) error {
	if errors.Is(err, keeper.ErrDown) {
		return fmt.Errorf("%w (its keeper has ended; the end of %s may say why): drydock lab up makes it anew, drydock lab down removes it", err, store.KeeperLog())
	}
	return err
}

func (l *labs) showStatus(st *lab.State, s *keeper.Status) {
	l.printf("lab %s   %s   up for %s\n", l.env.Paint(s.Lab, ui.Bold), s.Driver, time.Since(st.Created).Round(time.Second))
	t := ui.NewTable(l.env.Stdout)
	t.Row("  MACHINE", "ADDRESS", "POWER", "NODE", "TERM", "HEALTH", "UNITS", "MEMORY", "CPU", "PORTS")
	for i := range s.Machines {
		m := &s.Machines[i]
		node, term, units, health := m.State, "-", "-", "-"
		switch {
		case m.Seat == lab.SeatLost:
			node = "disk lost"
		case m.Seat == lab.SeatOutside:
			node = "no member"
		case m.Power != lab.PowerOn:
			node = "-"
		case !m.NodeUp:
			node = "dead: " + m.Ended
		case m.State == "":
			node = "silent"
		}
		if m.Term > 0 {
			term = strconv.FormatUint(m.Term, 10)
		}
		if m.Units >= 0 {
			units = strconv.Itoa(m.Units)
		}
		if m.Power == lab.PowerOn && m.NodeUp {
			health = "bad"
			if m.Healthy {
				health = "good"
			}
		}
		var places []string
		for _, p := range m.Ports {
			places = append(places, fmt.Sprintf("%d→%d", p.Host, p.Guest))
		}
		t.Row("  "+m.Name, m.Address.String(), string(m.Power), node, term, health, units,
			fmt.Sprintf("%d MiB", m.MemoryBytes>>20), seconds(m.CPU), strings.Join(places, " "))
	}
	t.Flush()
}

// listed is a lab as list shows it.
type listed struct {
	Lab      string    `json:"lab"`
	Driver   string    `json:"driver"`
	Up       bool      `json:"up"`
	Machines int       `json:"machines"`
	Created  time.Time `json:"created"`
	Dir      string    `json:"dir"`
	Error    string    `json:"error,omitempty"`
}

func newList(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the labs of this directory",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			names, err := lab.List(lab.Root)
			if err != nil {
				return err
			}
			t := ui.NewTable(l.env.Stdout)
			if !l.json {
				t.Row("LAB", "DRIVER", "STATE", "MACHINES", "SINCE")
			}
			for _, name := range names {
				store, err := lab.OpenStore(lab.Root, name)
				if err != nil {
					return err
				}
				one := listed{Lab: name, Dir: store.Dir, Up: store.KeeperLives()}
				if st, err := store.Load(); err != nil {
					one.Error = err.Error()
				} else {
					one.Driver, one.Machines, one.Created = st.Driver, len(st.Machines), st.Created
				}
				if l.json {
					if err := l.line(one); err != nil {
						return err
					}
					continue
				}
				state := "down"
				if one.Up {
					state = "up"
				}
				t.Row(name, one.Driver, state, strconv.Itoa(one.Machines), one.Created.Format(time.DateTime))
			}
			if !l.json {
				t.Flush()
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line a lab")
	return c
}
