package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
)

func newSchema(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of scenario files, for editors",
		Long: `Print the JSON schema of scenario files. Editors that speak YAML check and
complete a file that begins with:

  # yaml-language-server: $schema=scenario-schema.json`,
		Example: "  drydock scenario schema > scenario-schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(scenarios.Schema)
			return err
		},
	}
}
