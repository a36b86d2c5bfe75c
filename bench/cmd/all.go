package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/bench/report"
	"drydock/node/ui"
	"drydock/scenarios/runner"
)

// allOptions are the flags of bench all.
type allOptions struct {
	only        []string
	dir         string
	extra       map[string]*string // flags of each kind, as one text
	quick, json bool
	out         outputs
}

const allLong = `Measure all there is, one kind after another, and the machine's own floors first: the
node as clients see it (beside etcd, if it is on PATH), its log, its scheduler, its
simulator. It ends with a summary. --quick takes about five minutes, the whole two
hours and more; Ctrl-C ends it with what there is.

--json and --output write one file with every round; --compare says what changed since
an older one, and judges only what was measured on the same machine with the same
settings; --report draws it all into one HTML file.

Exit codes: 0 measured, 1 a figure is worse (--fail-on-regression), 2 wrong call, 4
something failed, 130 interrupted (what was measured until then is written).`

func newAll(env *ui.Env, world runner.World) *cobra.Command {
	o := &allOptions{extra: make(map[string]*string)}
	c := &cobra.Command{
		Use:   "all",
		Short: "All of them into one file, with a summary",
		Long:  allLong,
		Example: `  drydock bench all --quick
  drydock bench all -o today.json --report today.html
  drydock bench all --quick --compare before.json --fail-on-regression
  drydock bench all --only kv,consensus --kv '--members 3 --pairs 20' --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			parts, err := o.parts(env, world)
			if err != nil {
				return ui.Exit(ui.Usage, fmt.Errorf("bench all: %w", err))
			}
			s := &session{
				env: env, name: "bench all", parts: parts, out: &o.out, json: o.json, quick: o.quick,
				whole: true, dir: o.dir, floor: time.Second,
			}
			if o.quick {
				s.floor = floorTime
			}
			return s.run(ctx)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.only, "only", report.Kinds, "kinds that are measured")
	f.StringVar(&o.dir, "dir", ".", "where data is kept meanwhile: on the disk that is meant")
	for _, kind := range report.Kinds {
		o.extra[kind] = f.String(kind, "", "flags for bench "+kind+", in one text")
	}
	f.BoolVar(&o.quick, "quick", false, "a look of about five minutes")
	f.BoolVar(&o.json, "json", false, "write one JSON object, and nothing else, to stdout")
	o.out.addFlags(f)
	return c
}

// parts are the kinds that are asked for, in their order, with their flags.
func (o *allOptions) parts(env *ui.Env, world runner.World) ([]*part, error) {
	var errs []error
	words(&errs, "only", o.only, report.Kinds...)
	if _, err := os.Stat(o.dir); err != nil {
		errs = append(errs, fmt.Errorf("--dir: %w", err))
	}
	makers := map[string]func([]string) (*part, error){
		report.KindKV: func(args []string) (*part, error) {
			k := &kvOptions{}
			f, err := subFlags(report.KindKV, args, k.addFlags, o.kvDefaults()...)
			if err == nil && o.quick {
				k.hurry(f.Changed)
			}
			return k.part(env, f), err
		},
		report.KindConsensus: func(args []string) (*part, error) {
			k := &consensusOptions{}
			f, err := subFlags(report.KindConsensus, args, k.addFlags, "--dir="+o.dir)
			if k.quick = k.quick || o.quick; err == nil && k.quick {
				k.hurry(f.Changed)
			}
			return k.part(env, f), err
		},
		report.KindScheduler: func(args []string) (*part, error) {
			k := &schedulerOptions{}
			f, err := subFlags(report.KindScheduler, args, k.addFlags, "--dir="+o.dir)
			if k.quick = k.quick || o.quick; err == nil {
				k.hurry(f.Changed)
			}
			return k.part(env, f), err
		},
		report.KindSim: func(args []string) (*part, error) {
			k := &simOptions{}
			f, err := subFlags(report.KindSim, args, k.addFlags)
			if k.quick = k.quick || o.quick; err == nil && k.quick {
				k.hurry(f.Changed)
			}
			return k.part(env, world, f), err
		},
	}
	var list []*part
	for _, kind := range report.Kinds {
		if !slices.Contains(o.only, kind) {
			continue
		}
		p, err := makers[kind](strings.Fields(*o.extra[kind]))
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", kind, err))
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

// kvDefaults are what bench kv does otherwise as a part: with etcd, if there is one,
// and, in a quick look, with the connections of the summary.
func (o *allOptions) kvDefaults() []string {
	args := []string{"--dir=" + o.dir}
	if _, err := exec.LookPath("etcd"); err == nil {
		args = append(args, "--against=etcd")
	}
	if o.quick {
		args = append(args, "--conns=1,64,256")
	}
	return args
}

// subFlags parses the flags of a kind: defaults, and then those that were given. Both
// count as given, and the last one holds.
func subFlags(kind string, args []string, add func(*pflag.FlagSet), defaults ...string) (*pflag.FlagSet, error) {
	f := pflag.NewFlagSet(kind, pflag.ContinueOnError)
	f.SetInterspersed(false)
	f.Usage = func() {}
	add(f)
	if err := f.Parse(defaults); err != nil {
		return f, err
	}
	// A list that is given replaces the default, as the first does with its own.
	f.VisitAll(func(flag *pflag.Flag) {
		if list, ok := flag.Value.(pflag.SliceValue); ok && flag.Changed && named(args, flag.Name) {
			_ = list.Replace(nil)
		}
	})
	if err := f.Parse(args); err != nil {
		return f, err
	}
	if f.NArg() > 0 {
		return f, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	return f, nil
}

// named tells whether a flag is among arguments.
func named(args []string, flag string) bool {
	return slices.ContainsFunc(args, func(arg string) bool {
		return arg == "--"+flag || strings.HasPrefix(arg, "--"+flag+"=")
	})
}

// newShow returns the command that reads a file instead of measuring.
func newShow(env *ui.Env) *cobra.Command {
	u := &outputs{}
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Sum up, compare or draw what was measured before",
		Long: `Read a file that a benchmark has written with --output, and print its summary, what
changed since an older one (--compare), or draw it (--report). Nothing is measured.

Exit codes: 0 done, 1 a figure is worse (--fail-on-regression), 2 wrong call or file, 4
the page could not be written.`,
		Example: "  drydock bench show today.json --compare before.json\n  drydock bench show today.json --report today.html",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readFile(args[0])
			if err == nil {
				err = u.load(env, file)
			}
			if err != nil {
				return ui.Exit(ui.Usage, fmt.Errorf("bench show: %w", err))
			}
			compared, err := u.compared(file)
			if err != nil {
				return ui.Exit(ui.Usage, fmt.Errorf("bench show: %w", err))
			}
			file.WriteSummary(env)
			return u.finish(env, file, compared, false)
		},
	}
	u.addReading(c.Flags())
	return c
}
