package cmd

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"drydock/vmlab/lab"
)

func newSchema(l *labs) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of lab files, for editors",
		Example: "  drydock lab schema > lab-schema.json\n" +
			"  # and in the lab file's first line:\n" +
			"  # yaml-language-server: $schema=lab-schema.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := json.MarshalIndent(lab.Schema(), "", "  ")
			if err != nil {
				return err
			}
			l.printf("%s\n", text)
			return nil
		},
	}
}
