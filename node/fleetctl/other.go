package fleetctl

import (
	"io"
	"net"

	"github.com/spf13/cobra"

	"drydock/node/fleetctl/plan"
	"drydock/node/ui"
)

// otherCommands need no cluster.
func (s *session) otherCommands() []*cobra.Command {
	forward := s.command("fd-forward SOCKET", "Connect standard input and output to a Unix socket",
		"Connect standard input and output to a Unix socket. --tunnel uses it on the far side.",
		"  fleetctl fd-forward /var/run/fleet.sock", s.fdForward)
	verify := s.command("verify", "Fleet's signed units are no more", "Signatures of units were given up in 2014.", "",
		func([]string) int { return s.signed() })
	verify.Deprecated = ""
	show := s.command("version", "Print the version", "Print the release of fleet whose client this is like.", "",
		func([]string) int { s.outf("fleetctl version v%s", version); return exitOK })
	return []*cobra.Command{forward, verify, show, s.planCommand()}
}

func (s *session) planCommand() *cobra.Command {
	var o plan.Options
	c := s.command("plan FILE", "Show where units would run, and why some would not, without a cluster", plan.Help,
		`  fleetctl plan what-if.yaml
  fleetctl plan --json what-if.yaml | jq .unplaced
  fleetctl plan --check deploy.yaml && fleetctl start web@1.service`,
		func(args []string) int {
			err := plan.Run(s.env, args[0], o)
			if err != nil && err.Error() != "" {
				s.errf("%v", err)
			}
			return ui.Code(err)
		})
	c.Args = cobra.ExactArgs(1)
	c.Flags().BoolVar(&o.JSON, "json", false, "write one line of JSON a step")
	c.Flags().BoolVar(&o.Check, "check", false, "fail if a unit that should run is not placed at the end")
	return c
}

// fdForward copies between the standard streams and a socket until either ends.
func (s *session) fdForward(args []string) int {
	if len(args) != 1 {
		s.errf("One socket must be provided")
		return exitFailed
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(s.ctx, "unix", args[0])
	if err != nil {
		s.errf("%v", err)
		return exitFailed
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, s.env.Stdin)
		if half, ok := conn.(*net.UnixConn); ok {
			_ = half.CloseWrite()
		}
	}()
	if _, err := io.Copy(s.env.Stdout, conn); err != nil {
		s.errf("%v", err)
		return exitFailed
	}
	return exitOK
}
