package cmd

import (
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

func newDoctor(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Try which drivers work here, and say what is missing and how to get it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			works := false
			for _, d := range drivers() {
				one := diagnosis{Driver: d.Name(), Works: true, Capabilities: d.Capabilities(), Findings: d.Probe(ctx)}
				for _, f := range one.Findings {
					one.Works = one.Works && (f.OK || !f.Needed)
				}
				works = works || one.Works
				if l.json {
					if err := l.line(one); err != nil {
						return err
					}
					continue
				}
				l.showDiagnosis(&one)
			}
			if !works {
				return ui.Exit(ui.WorldFailed, nil)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line a driver")
	return c
}

func (l *labs) showDiagnosis(d *diagnosis) {
	word := l.env.Paint("works", ui.Green)
	if !d.Works {
		word = l.env.Paint("does not work", ui.Red)
	}
	l.printf("%s   %s   %s\n", l.env.Paint(d.Driver, ui.Bold), word, d.Capabilities)
	for _, f := range d.Findings {
		mark := l.env.Paint("ok     ", ui.Green)
		if !f.OK {
			mark = l.env.Paint("missing", ui.Red)
		}
		l.printf("  %s  %s   %s   %s\n", mark, f.What, seconds(f.Took), f.Detail)
		if f.Fix != "" {
			l.printf("           get it: %s\n", f.Fix)
		}
	}
}
