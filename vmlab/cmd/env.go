package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/lab"
)

func newEnv(l *labs) *cobra.Command {
	var unset bool
	c := &cobra.Command{
		Use:   "env",
		Short: "Print what to set so that etcdctl and fleetctl talk to the lab",
		Long: "Print variables for a shell, by which etcdctl and fleetctl reach the lab through the ports\n" +
			"that lead to it. etcd's own etcdctl wants --no-sync besides, since it would ask machines\n" +
			"by the addresses that they have in the lab.",
		Example: "  eval $(drydock lab env)\n  drydock etcdctl get /message\n  eval $(drydock lab env --unset)",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if unset {
				for _, name := range []string{"DRYDOCK_LAB", "ETCDCTL_API", "ETCDCTL_ENDPOINTS", "ETCDCTL_NO_SYNC", "FLEETCTL_ENDPOINT"} {
					l.printf("unset %s\n", name)
				}
				return nil
			}
			vars, err := l.variables()
			if err != nil {
				return err
			}
			if l.json {
				all := make(map[string]string, len(vars))
				for _, v := range vars {
					all[v[0]] = v[1]
				}
				return l.line(all)
			}
			for _, v := range vars {
				l.printf("export %s=%s\n", v[0], v[1])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&unset, "unset", false, "print what takes it back")
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	return c
}

// variables lead the clients to the lab that the call is about.
func (l *labs) variables() ([][2]string, error) {
	_, st, _, err := l.open()
	if err != nil {
		return nil, err
	}
	var urls []string
	for i := range st.Machines {
		m := &st.Machines[i]
		guest := m.Client
		if guest == 0 {
			guest = lab.ClientPort
		}
		for _, p := range m.Ports {
			if p.Guest == guest && p.Host > 0 {
				urls = append(urls, fmt.Sprintf("http://127.0.0.1:%d", p.Host))
			}
		}
	}
	if len(urls) == 0 {
		return nil, ui.Exit(ui.WorldFailed, fmt.Errorf("no machine of %s has its port %d forwarded (ports in the lab file)", st.Lab, lab.ClientPort))
	}
	return [][2]string{
		{"DRYDOCK_LAB", st.Lab},
		{"ETCDCTL_API", "2"},
		{"ETCDCTL_ENDPOINTS", strings.Join(urls, ",")},
		{"ETCDCTL_NO_SYNC", "true"},
		{"FLEETCTL_ENDPOINT", strings.Join(urls, ",")},
	}, nil
}
