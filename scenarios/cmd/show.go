package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
)

func newShow(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Print a scenario of the library",
		Example: "  drydock scenario show leader-crash > mine.yaml\n  drydock scenario show example",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return scenarios.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text, ok := scenarios.Find(args[0])
			if !ok {
				return notFound(args[0])
			}
			_, err := env.Stdout.Write(text)
			return err
		},
	}
}
