package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/scenario"
)

// listed is one scenario of the library as --json writes it.
type listed struct {
	Name    string `json:"scenario"`
	Why     string `json:"why"`
	Members int    `json:"members"`
	Steps   int    `json:"steps"`
	Seconds int    `json:"seconds"`
}

func newList(env *ui.Env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the scenarios of the library",
		Example: "  drydock scenario list",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return listFunc(env, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write one JSON line a scenario")
	return c
}

func listFunc(env *ui.Env, asJSON bool) error {
	table := ui.NewTable(env.Stdout)
	if !asJSON {
		table.Row("scenario", "what it tries to break")
	}
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Find(name)
		s, err := scenario.Parse(name, text)
		if err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
		if asJSON {
			writeJSON(env, listed{s.Name, s.Why, s.Cluster.Members, len(s.Steps), int(s.Duration.Seconds())})
		} else {
			table.Row(s.Name, s.Why)
		}
	}
	table.Flush()
	return nil
}
