package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/etcdctl"
	"drydock/node/ui"
)

// Etcdctl is drydock etcdctl: the client of the etcd v2 API. Its flags are as the
// original's, single dashes included, so it reads them itself, and its exit codes
// are the original's too.
func Etcdctl(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "etcdctl [global options] COMMAND [arguments...]",
		Short: "Read, write and watch keys, and run the cluster that holds them",
		Long: `The etcd v2 client: the commands, flags, output and exit codes of etcdctl with
ETCDCTL_API=2. A symbolic link of the name etcdctl to this program is the same.`,
		Example: `  drydock etcdctl set /message Hello
  drydock etcdctl --endpoints http://10.0.0.1:2379 ls --recursive /
  drydock etcdctl help`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			inner := *env
			inner.Args = args
			return etcdctl.Main(&inner)
		},
	}
}
