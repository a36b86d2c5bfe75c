package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/firstboot"
	"drydock/node/ui"
)

// Firstboot is drydock node firstboot: it does on this machine what its config
// drive asks for. Images of machines call it at each boot.
func Firstboot(*ui.Env) *cobra.Command {
	seed := ""
	c := &cobra.Command{
		Use:   "firstboot DIR",
		Short: "Do on this machine what a config drive's user-data asks for",
		Long: "Read the config drive that is mounted at DIR (" + firstboot.UserData + ",\n" +
			firstboot.MetaData + ") and do what its cloud-config asks for: host\n" +
			"name, files, keys, units. Images of machines call it at each boot; doing it again\n" +
			"changes nothing.",
		Args:   words(1),
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := firstboot.Read(args[0])
			if err != nil {
				return ui.Exit(ui.Usage, err)
			}
			if seed != "" {
				s, err := firstboot.ReadSeed(seed)
				if err != nil {
					return ui.Exit(ui.Usage, err)
				}
				if s != nil {
					d.Add(s)
				}
			}
			m := firstboot.Machine{Log: c.OutOrStdout()}
			if err := m.Apply(c.Context(), d); err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&seed, "seed", "", "a directory where a drive of the NoCloud form may be mounted, too, as Lima has it")
	return c
}
