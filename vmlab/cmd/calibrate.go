package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
	"drydock/vmlab/calibrate"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/labworld"
)

// calibrateOptions are the flags of lab calibrate.
type calibrateOptions struct {
	driver, out     string
	nodes           int
	quick           bool
	compare         string
	profile, report string
	within          string
	trials          int
	seed            uint64
}

func newCalibrate(l *labs) *cobra.Command {
	var o calibrateOptions
	c := &cobra.Command{
		Use:   "calibrate [--compare SCENARIO --profile FILE]",
		Short: "Measure a lab for the simulator, and whether what that predicts comes true",
		Long: `Measure a lab: what messages take between machines beyond the delay that the lab
imposes, what a sync of a member's log takes, how long nodes and machines take to
start, and what a request takes on its way. The lab is made for it and removed. What
was measured is written as a profile, which drydock run --profile takes in place of
the simulator's own assumptions.

With --compare a scenario runs in the simulator under a profile and in labs, and
what clients and machines lived through is set side by side: how long no write was
acknowledged after a leader was gone, how long units of a dead machine were nowhere.
It goes on until the lab has given so many trials that nobody disturbed. Trials
while others had more than a fifth of the CPUs, or a sleep ended 25 ms late, are
counted apart and not judged.

Exit status, with --compare: 0 the medians agree; 1 they don't; 3 too few calm
trials to say; 2 the call or a file was wrong; 4 the lab failed; 130 interrupted.`,
		Example: `  drydock lab calibrate -o profile.yaml
  drydock run --profile profile.yaml --seeds 200 leader-crash
  drydock lab calibrate --compare write-outage --profile profile.yaml --trials 30 --report outage.html
  drydock lab calibrate --compare unit-failover --profile profile.yaml --within 30%`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			if o.compare == "" {
				for _, name := range []string{"report", "trials", "within", "seed", "profile"} {
					if c.Flags().Changed(name) {
						return ui.Usagef("--%s goes with --compare", name)
					}
				}
				return l.calibrate(ctx, &o)
			}
			if c.Flags().Changed("out") || c.Flags().Changed("quick") || c.Flags().Changed("nodes") {
				return ui.Usagef("--out, --quick and --nodes are about measuring a lab, and don't go with --compare")
			}
			return l.compare(ctx, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.driver, "driver", drivers()[0].Name(), "what makes the lab's machines: "+strings.Join(driverNames(), ", "))
	f.IntVar(&o.nodes, "nodes", 3, "how many members the lab has that is measured")
	f.StringVarP(&o.out, "out", "o", "profile.yaml", "the profile that is written")
	f.BoolVar(&o.quick, "quick", false, "a quick look: a tenth of the samples")
	f.StringVar(&o.compare, "compare", "", "compare this scenario's runs in the simulator and in labs: a file, or one of the library")
	f.StringVar(&o.profile, "profile", "", "the profile that the simulator takes")
	f.IntVar(&o.trials, "trials", 30, "how many calm trials of the lab")
	f.StringVar(&o.within, "within", "25%", "by how much the medians may differ")
	f.Uint64Var(&o.seed, "seed", 1, "the first run's seed")
	f.StringVar(&o.report, "report", "", "write a page with the distributions to this file")
	f.BoolVar(&l.json, "json", false, "write one JSON line, and nothing else, to stdout")
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(driverNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// How much is measured, and what of it a quick look takes.
const (
	fullMessages, fullSyncs, fullRequests, fullStarts = 1000, 1000, 500, 10
	quickShare                                        = 10
)

// calibrate measures a lab and writes its profile.
func (l *labs) calibrate(ctx context.Context, o *calibrateOptions) error {
	d, err := usableDriver(o.driver)
	if err != nil {
		return err
	}
	if o.nodes < 2 || o.nodes > lab.MaxMembers {
		return ui.Usagef("--nodes %d: 2 to %d members; a link has two ends", o.nodes, lab.MaxMembers)
	}
	if err := writable(o.out); err != nil {
		return err
	}
	began := time.Now()
	progress := ui.NewProgress(l.env, l.json, time.Now)
	share := 1
	if o.quick {
		share = quickShare
	}
	m, err := calibrate.Measure(ctx, calibrate.Options{
		Driver: d, Binary: l.env.Executable, Images: image.Root, Nodes: o.nodes,
		Messages: fullMessages / share, Syncs: fullSyncs / share, Requests: fullRequests / share, Starts: max(2, fullStarts/share),
		Tell: func(what string) {
			progress.Update(fmt.Sprintf("%s   %s", seconds(time.Since(began)), what))
		},
	})
	progress.Clear()
	if err != nil {
		return failed(ctx, err)
	}
	if err := os.WriteFile(o.out, m.Profile.Encode(), 0o644); err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	if l.json {
		return l.line(struct {
			*calibrate.Measurement
			File     string  `json:"file"`
			Pressure float64 `json:"pressure"`
		}{m, o.out, float64(m.Profile.Pressure)})
	}
	l.printf("%s   %d machines   %s   measured in %s\n\n", l.env.Paint(o.driver, ui.Bold), o.nodes, m.Profile.Host, seconds(m.Took))
	m.Text(l.env.Stdout)
	l.printf("\nwritten    %s\nuse it     drydock run --profile %s leader-crash\ncheck it   drydock lab calibrate --compare write-outage --profile %s\n", o.out, o.out, o.out)
	return nil
}

// compare runs a scenario in both worlds.
func (l *labs) compare(ctx context.Context, o *calibrateOptions) error {
	d, err := usableDriver(o.driver)
	if err != nil {
		return err
	}
	if o.profile == "" {
		return ui.Usagef("--compare needs a profile: drydock lab calibrate -o profile.yaml, then --profile profile.yaml")
	}
	if o.trials < 1 || o.trials > 10_000 {
		return ui.Usagef("--trials %d: 1 to 10000", o.trials)
	}
	within, err := share(o.within)
	if err != nil {
		return err
	}
	p, err := readProfile(o.profile)
	if err != nil {
		return err
	}
	if p.Driver != d.Name() {
		return ui.Usagef("%s was measured on %s, not on %s: --driver %s, or measure anew", o.profile, p.Driver, d.Name(), p.Driver)
	}
	world := labworld.New("lab", []lab.Driver{d}, l.env.Executable)
	s, err := inBoth(o.compare, world)
	if err != nil {
		return err
	}
	if o.report != "" {
		if err := writable(o.report); err != nil {
			return err
		}
	}
	progress := ui.NewProgress(l.env, l.json, time.Now)
	c, err := calibrate.Compare(ctx, calibrate.Comparing{
		Scenario: s, Profile: p, Sim: simworld.New(), Lab: world, Trials: o.trials, Within: within, Seed: o.seed,
		Tell: func(world string, run, trials, calm int) {
			progress.Update(fmt.Sprintf("%s   run %d   %d trials, %d of them calm", world, run, trials, calm))
		},
	})
	progress.Clear()
	if errors.Is(err, calibrate.ErrNoTrial) {
		return ui.Exit(ui.Usage, err)
	}
	if c == nil {
		return failed(ctx, err)
	}
	verdict := l.tellComparison(o, c)
	if err != nil { // interrupted, with what was found so far
		return failed(ctx, err)
	}
	return verdict
}

// tellComparison writes what a comparison came to, everywhere that is asked for.
func (l *labs) tellComparison(o *calibrateOptions, c *calibrate.Comparison) error {
	if o.report != "" {
		var b strings.Builder
		if err := c.HTML(&b); err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
		if err := os.WriteFile(o.report, []byte(b.String()), 0o644); err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
	}
	if l.json {
		if err := l.line(c); err != nil {
			return err
		}
	} else {
		c.Text(l.env)
		if o.report != "" {
			l.printf("page       %s\n", o.report)
		}
	}
	switch c.Verdict() {
	case calibrate.Agrees:
		return nil
	case calibrate.Differs:
		return ui.Exit(ui.Violated, nil)
	}
	return ui.Exit(ui.Unknown, nil)
}

// usableDriver finds a driver, and sees that the caller may use it.
func usableDriver(name string) (lab.Driver, error) {
	d, err := findDriver(name)
	if err != nil {
		return nil, err
	}
	if d.Capabilities().Has(lab.NeedsRoot) && os.Geteuid() != 0 {
		return nil, ui.Exit(ui.WorldFailed, fmt.Errorf("the driver %s needs root: sudo drydock lab calibrate (drydock lab doctor says which drivers work here)", name))
	}
	return d, nil
}

// share reads a share such as 25% or 0.25.
func share(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0) || v >= 1 {
		return 0, ui.Usagef("--within %q: a share such as 25%%, more than nothing and less than all", text)
	}
	return v, nil
}

// writable sees early that a file can be written: its directory must be there.
func writable(name string) error {
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return ui.Usagef("%s can't be written: there is no directory %s", name, filepath.Dir(name))
	}
	return nil
}

func readProfile(name string) (*scenario.Profile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	p, err := scenario.ParseProfile(name, text)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	return p, nil
}

// inBoth reads a scenario that both worlds can run.
func inBoth(name string, world runner.World) (*scenario.Scenario, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		found := false
		if text, found = scenarios.Find(name); !found {
			hint := "drydock scenario list names those of the library"
			if near := ui.Nearest(name, scenarios.Names()); near != "" {
				hint = "did you mean " + near + "?"
			}
			return nil, ui.Usagef("%s is neither a file nor a scenario of the library; %s", name, hint)
		}
	} else if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	s, err := scenario.Parse(name, text)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	if refused := s.Refusals(world.Name(), world.Supports); len(refused) > 0 {
		return nil, ui.Exit(ui.Usage, &scenario.Errors{Text: text, Problems: refused})
	}
	if choosy, ok := world.(runner.Choosy); ok {
		if err := choosy.Refuse(s); err != nil {
			return nil, ui.Exit(ui.Usage, fmt.Errorf("%s: the world %s: %w", name, world.Name(), err))
		}
	}
	return s, nil
}
