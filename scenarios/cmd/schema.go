package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/scenario"
)

func newSchema(env *ui.Env) *cobra.Command {
	profile := false
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of scenario files, for editors",
		Long: `Print the JSON schema of scenario files. Editors that speak YAML check and
complete a file that begins with:

  # yaml-language-server: $schema=scenario-schema.json`,
		Example: "  drydock scenario schema > scenario-schema.json\n" +
			"  drydock scenario schema --profile    # of what lab calibrate writes",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if profile {
				writeJSON(env, scenario.ProfileSchema())
				return nil
			}
			_, err := env.Stdout.Write(scenarios.Schema)
			return err
		},
	}
	c.Flags().BoolVar(&profile, "profile", false, "the schema of profiles instead")
	return c
}
