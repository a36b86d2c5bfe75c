package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/lab"
)

// diagnosis is what the doctor says of a driver.
type diagnosis struct {
	Driver       string           `json:"driver"`
	Works        bool             `json:"works"`
	Capabilities lab.Capabilities `json:"capabilities"`
	Findings     []lab.Finding    `json:"findings"`
}

// doctorPatience is how long a driver's probes may take, if nothing else is said.
const doctorPatience = 2 * time.Minute

func newDoctor(l *labs) *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:   "doctor [DRIVER…]",
		Short: "Try which drivers work here, and say what is missing and how to get it",
		Long: "Try what each driver needs by doing it, up to a machine that boots, all drivers at once,\n" +
			"and say what is missing and how to get it. Nothing is left behind. The exit status is 0\n" +
			"if one of them works; of those that are named, if all do.",
		Example:           "  drydock lab doctor\n  sudo drydock lab doctor netns nspawn",
		ValidArgsFunction: cobra.FixedCompletions(driverNames(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			list, err := chosenDrivers(args)
			if err != nil {
				return err
			}
			return failed(ctx, l.diagnose(ctx, list, patience, len(args) > 0))
		},
	}
	c.Flags().DurationVar(&patience, "timeout", doctorPatience, "how long each driver may take")
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line a driver")
	return c
}

// chosenDrivers are the drivers of some names, all of none.
func chosenDrivers(names []string) ([]lab.Driver, error) {
	if len(names) == 0 {
		return drivers(), nil
	}
	var list []lab.Driver
	for _, name := range names {
		d, err := findDriver(name)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// diagnose probes drivers, all at once, and shows what was found in their order.
func (l *labs) diagnose(ctx context.Context, list []lab.Driver, patience time.Duration, all bool) error {
	results := make([]chan diagnosis, len(list))
	for i, d := range list {
		results[i] = make(chan diagnosis, 1)
		go func() { results[i] <- probe(ctx, d, patience) }()
	}
	progress := ui.NewProgress(l.env, l.json, time.Now)
	began := time.Now()
	var work, fail []string
	for i, d := range list {
		one := l.await(results[i], func() {
			progress.Update(fmt.Sprintf("  %5.1fs  trying %s", time.Since(began).Seconds(), d.Name()))
		})
		progress.Clear()
		if one.Works {
			work = append(work, d.Name())
		} else {
			fail = append(fail, d.Name())
		}
		if !l.json {
			l.showDiagnosis(&one)
		} else if err := l.line(one); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !l.json {
		l.printf("%s\n", verdict(work, fail))
	}
	if len(work) == 0 || all && len(fail) > 0 {
		return ui.Exit(ui.WorldFailed, nil)
	}
	return nil
}

// await waits for a result, and meanwhile shows now and then that it does.
func (l *labs) await(result <-chan diagnosis, show func()) diagnosis {
	t := time.NewTicker(boardEvery)
	defer t.Stop()
	for {
		select {
		case one := <-result:
			return one
		case <-t.C:
			show()
		}
	}
}

// verdict is the doctor's last word.
func verdict(work, fail []string) string {
	switch {
	case len(work) == 0:
		return "no driver works here: " + strings.Join(fail, ", ") + " lack what is said above"
	case len(fail) == 0:
		return strings.Join(work, ", ") + ": all work here; drydock lab up --driver " + work[0]
	}
	return strings.Join(work, ", ") + " can be used here, not " + strings.Join(fail, ", ") + "; drydock lab up --driver " + work[0]
}

// probe tries one driver. One that does not end in time doesn't work.
func probe(ctx context.Context, d lab.Driver, patience time.Duration) diagnosis {
	one := diagnosis{Driver: d.Name(), Capabilities: d.Capabilities()}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	found := make(chan []lab.Finding, 1)
	go func() { found <- d.Probe(ctx) }()
	select {
	case one.Findings = <-found:
	case <-ctx.Done():
		select { // it heeds the deadline, and cleans up
		case one.Findings = <-found:
		case <-time.After(dyingPatience):
			one.Findings = []lab.Finding{{What: "all of it", Needed: true, Detail: "not done within " + patience.String(), Took: time.Since(began)}}
		}
	}
	one.Works = !slices.ContainsFunc(one.Findings, func(f lab.Finding) bool { return f.Needed && !f.OK })
	return one
}

func (l *labs) showDiagnosis(d *diagnosis) {
	word := l.env.Paint("works", ui.Green)
	if !d.Works {
		word = l.env.Paint("does not work here", ui.Red)
	}
	has := slices.DeleteFunc(slices.Clone(d.Capabilities), func(c lab.Capability) bool { return c == lab.NeedsRoot })
	needs := ""
	if len(has) < len(d.Capabilities) {
		needs = "   needs: root"
	}
	l.printf("%s   %s   has: %s%s\n", l.env.Paint(d.Driver, ui.Bold), word, has, needs)
	width := 0
	for _, f := range d.Findings {
		width = max(width, len(f.What))
	}
	for _, f := range d.Findings {
		mark := l.env.Paint("ok     ", ui.Green)
		switch {
		case !f.OK && f.Needed:
			mark = l.env.Paint("missing", ui.Red)
		case !f.OK:
			mark = l.env.Paint("without", ui.Yellow)
		}
		line := fmt.Sprintf("  %s  %-*s  %6s  %s", mark, width, f.What, seconds(f.Took), f.Detail)
		l.printf("%s\n", strings.TrimRight(line, " \n"))
		if f.Fix != "" {
			l.printf("           get it: %s\n", f.Fix)
		}
	}
	l.printf("\n")
}
