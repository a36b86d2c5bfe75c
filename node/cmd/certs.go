package cmd

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"drydock/node/tlsconf"
	"drydock/node/ui"
)

// Certs is drydock node certs: it makes the certificates that secure a cluster.
func Certs(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "certs DIR [HOST...]",
		Short: "Make certificates for members and clients",
		Long: `Make an authority in DIR, or take the one that is there, and certificates of it: server
and peer for members that are reached at the hosts given (names or addresses; without
any, 127.0.0.1 and localhost), and client for those who use them. Whoever has ca.key
can make more: keep it away from the members.`,
		Example: `  drydock node certs certs
  drydock node certs certs 10.0.0.1 10.0.0.2 n3.example.org`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, hosts := args[0], args[1:]
			if len(hosts) == 0 {
				hosts = []string{"127.0.0.1", "::1", "localhost"}
			}
			if err := tlsconf.WriteCA(dir, hosts); err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			f := func(name string) string { return filepath.Join(dir, name) }
			fmt.Fprintf(env.Stdout, `members   --cert-file %s --key-file %s --trusted-ca-file %s --client-cert-auth \
          --peer-cert-file %s --peer-key-file %s --peer-trusted-ca-file %s --peer-client-cert-auth
clients   drydock etcdctl --cert-file %s --key-file %s --ca-file %s
          curl --cert %s --key %s --cacert %s
`, f("server.crt"), f("server.key"), f("ca.crt"), f("peer.crt"), f("peer.key"), f("ca.crt"),
				f("client.crt"), f("client.key"), f("ca.crt"), f("client.crt"), f("client.key"), f("ca.crt"))
			return nil
		},
	}
}
