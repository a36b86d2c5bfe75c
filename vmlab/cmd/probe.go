package cmd

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/vmlab/calibrate"
	within "drydock/vmlab/calibrate/probe"
)

// newProbe is what lab calibrate runs on machines.
func newProbe(l *labs) *cobra.Command {
	return &cobra.Command{
		Use: "probe answer ADDRESS | ask ADDRESS COUNT BYTES EVERY | sync DIRECTORY COUNT EVERY", Hidden: true,
		Short:   "Measure links and disks from within a machine",
		Example: "  drydock lab probe sync /var/lib/drydock 100 2ms",
		Args:    cobra.RangeArgs(2, 5),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			var v any
			var err error
			switch {
			case args[0] == calibrate.ProbeAnswer && len(args) == 2:
				var listener net.Listener
				if listener, err = net.Listen("tcp", args[1]); err != nil {
					return failed(ctx, err)
				}
				l.printf("listening\n")
				return failed(ctx, within.Answer(ctx, listener))
			case args[0] == calibrate.ProbeAsk && len(args) == 5:
				v, err = ask(c, args[1:])
			case args[0] == calibrate.ProbeSync && len(args) == 4:
				count, every, wrongly := counted(args[2], args[3])
				if wrongly != nil {
					return wrongly
				}
				v, err = within.Syncs(ctx, args[1], count, every)
			default:
				return ui.Usagef("%s", c.UseLine())
			}
			if err != nil {
				return failed(ctx, err)
			}
			return json.NewEncoder(l.env.Stdout).Encode(v)
		},
	}
}

// ask does the asking probe.
func ask(c *cobra.Command, args []string) (*within.Ways, error) {
	count, every, err := counted(args[1], args[3])
	if err != nil {
		return nil, err
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, fmt.Errorf("BYTES: %w", err)
	}
	conn, err := net.DialTimeout("tcp", args[0], 10*time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return within.Ask(c.Context(), conn, count, size, every)
}

// counted reads how many of something are asked for, one every so often.
func counted(many, often string) (count int, every time.Duration, err error) {
	if count, err = strconv.Atoi(many); err != nil {
		return 0, 0, ui.Usagef("COUNT: %q is not a number", many)
	}
	if every, err = time.ParseDuration(often); err != nil {
		return 0, 0, ui.Usagef("EVERY: %q is not a time such as 2ms", often)
	}
	return count, every, nil
}
