package cmd

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/fleetctl"
	"drydock/node/ui"
)

// Fleetctl is drydock fleetctl: the client of a cluster's units. Its flags are as the
// original's, of 2014 and later, so it reads them itself, and its exit codes are the
// original's too.
func Fleetctl(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "fleetctl [global flags] COMMAND [arguments...]",
		Short: "Tell a cluster's machines what to run",
		Long: `The client of a cluster's units: the commands, flags, messages and columns of fleet's
fleetctl. A symbolic link of the name fleetctl to this program is the same.`,
		Example: `  drydock fleetctl start hello.service
  drydock fleetctl list-units
  drydock fleetctl plan what-if.yaml
  drydock fleetctl help`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			inner := *env
			inner.Args = args
			return fleetctl.Main(&inner)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			return complete(env, fleetctl.Main, append(args, begun))
		},
	}
}

// complete has a program that reads its own arguments complete them, too.
func complete(env *ui.Env, program func(*ui.Env) error, args []string) ([]string, cobra.ShellCompDirective) {
	var out bytes.Buffer
	inner := *env
	inner.Args = append([]string{cobra.ShellCompRequestCmd}, args...)
	inner.Stdout, inner.Stderr = &out, io.Discard
	if program(&inner) != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	last := len(lines) - 1
	directive, err := strconv.Atoi(strings.TrimPrefix(lines[last], ":"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return lines[:last], cobra.ShellCompDirective(directive)
}
