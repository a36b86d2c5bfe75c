package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// validated is one file as --json writes it.
type validated struct {
	File     string       `json:"file"`
	Valid    bool         `json:"valid"`
	Problems []ui.Problem `json:"problems,omitempty"`
}

func newValidate(env *ui.Env, worlds []runner.World) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "validate FILE|DIR|NAME…",
		Short:   "Check scenario files, all of them, and show every error",
		Example: "  drydock scenario validate my-scenario.yaml\n  drydock scenario validate scenarios",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return inJSON(env, asJSON, validateFunc(env, worlds, asJSON, args))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write one JSON line a file")
	return c
}

func validateFunc(env *ui.Env, worlds []runner.World, asJSON bool, args []string) error {
	found, err := sources(args)
	if err != nil {
		return err
	}
	var wrong []error
	for _, src := range found {
		s, err := scenario.Parse(src.name, src.text)
		if err == nil {
			err = refusedSomewhere(s, worlds)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
		switch {
		case asJSON:
			line := validated{File: src.name, Valid: err == nil}
			if all := (*scenario.Errors)(nil); errors.As(err, &all) {
				line.Problems = all.Problems
			}
			writeJSON(env, line)
		case err == nil:
			fmt.Fprintf(env.Stdout, "ok   %s\n", src.name)
		}
	}
	switch {
	case len(wrong) == 0:
		return nil
	case asJSON:
		return ui.Exit(ui.Usage, nil)
	}
	return ui.Exit(ui.Usage, joinErrors(wrong))
}

// refusedSomewhere is the error of a scenario that names a world, which this
// program has, but that can't inject one of its faults.
func refusedSomewhere(s *scenario.Scenario, worlds []runner.World) error {
	for _, name := range s.RunsOn {
		w, err := runner.FindWorld(worlds, name, "")
		if err != nil {
			continue
		}
		if err := refusal(s, w); err != nil {
			return err
		}
	}
	return nil
}
