package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/lab"
)

func newLogs(l *labs) *cobra.Command {
	var follow bool
	var lines int
	c := &cobra.Command{
		Use:     "logs [MACHINE…]",
		Short:   "Show what machines have written to their consoles, merged by time",
		Example: "  drydock lab logs -f\n  drydock lab logs --lines 100 core-01 core-02",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			return l.logs(ctx, args, follow, lines)
		},
	}
	c.ValidArgsFunction = l.completeMachines(0)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on")
	c.Flags().IntVarP(&lines, "lines", "n", 0, "only so many lines of each machine, the last ones")
	return c
}

func newConsole(l *labs) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use:     "console MACHINE",
		Short:   "Show one machine's console as it is",
		Example: "  drydock lab console core-01 -f",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			store, st, _, err := l.open()
			if err != nil {
				return err
			}
			m, err := machine(st, args[0])
			if err != nil {
				return err
			}
			site := store.Site(st)
			r := &reader{path: site.Console(m.Name)}
			for {
				list, err := r.more()
				if err != nil {
					return err
				}
				for _, line := range list {
					l.printf("%s\n", line)
				}
				if !follow || rest(ctx) != nil {
					return nil
				}
			}
		},
	}
	c.ValidArgsFunction = l.completeMachines(1)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on")
	return c
}

// reader reads a file that grows, by whole lines.
type reader struct {
	path string
	at   int64
	part []byte // the beginning of a line
}

// more returns the lines that have come since the last time.
func (r *reader) more() ([]string, error) {
	f, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(r.at, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	r.at += int64(len(text))
	text = append(r.part, text...)
	end := bytes.LastIndexByte(text, '\n') + 1
	r.part = slices.Clone(text[end:])
	if end == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(text[:end]), "\n"), "\n"), nil
}

// logEvery is the rest between two looks at consoles.
const logEvery = 100 * time.Millisecond

func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(logEvery):
		return nil
	}
}

// logLine is a line of a console.
type logLine struct {
	machine int
	at      time.Time
	text    string
}

// stampForm is how nodes begin lines of their logs.
const stampForm = "Jan 02 15:04:05.000"

// stamped gives lines their times: their own, or that of the line before, of which
// they are the rest.
func stamped(machine int, lines []string, last *time.Time) []logLine {
	list := make([]logLine, len(lines))
	for i, text := range lines {
		if len(text) >= len(stampForm) {
			if at, err := time.Parse(stampForm, text[:len(stampForm)]); err == nil {
				*last = at
			}
		}
		list[i] = logLine{machine: machine, at: *last, text: text}
	}
	return list
}

// merged orders lines by time; lines of one machine stay in their order.
func merged(lists [][]logLine) []logLine {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b logLine) int { return a.at.Compare(b.at) })
	return all
}

// logStyles set machines apart.
var logStyles = []ui.Style{ui.Cyan, ui.Green, ui.Yellow, ui.Bold}

// logs writes the consoles of machines, all if none are named.
func (l *labs) logs(ctx context.Context, names []string, follow bool, lines int) error {
	store, st, _, err := l.open()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		for i := range st.Machines {
			names = append(names, st.Machines[i].Name)
		}
	}
	site := store.Site(st)
	var readers []*reader
	var chosen []*lab.Machine
	width := 0
	for _, name := range names {
		m, err := machine(st, name)
		if err != nil {
			return err
		}
		chosen, readers = append(chosen, m), append(readers, &reader{path: site.Console(m.Name)})
		width = max(width, len(m.Name))
	}
	last := make([]time.Time, len(readers))
	for {
		lists := make([][]logLine, len(readers))
		for i, r := range readers {
			texts, err := r.more()
			if err != nil {
				return err
			}
			if lines > 0 {
				texts = texts[max(0, len(texts)-lines):]
			}
			lists[i] = stamped(i, texts, &last[i])
		}
		for _, line := range merged(lists) {
			name := fmt.Sprintf("%-*s", width, chosen[line.machine].Name)
			l.printf("%s | %s\n", l.env.Paint(name, logStyles[line.machine%len(logStyles)]), line.text)
		}
		lines = 0 // what comes from now on is new
		if !follow || rest(ctx) != nil {
			return nil
		}
	}
}
