package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"drydock/bench/consensus"
	"drydock/bench/fleetload"
	"drydock/bench/report"
	"drydock/node/ui"
)

// durableOptions are the flags of the part that runs through three members.
type durableOptions struct {
	off, only, reports bool
	machines, units    int
	submitters         int
	increments, losses int
	rest               time.Duration
	dir, storage       string
}

// flags adds them.
func (o *durableOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.off, "no-durable", false, "leave out the part through three members")
	f.BoolVar(&o.only, "durable", false, "only the part through three members")
	f.IntVar(&o.machines, "durable-machines", 10_000, "machines of the part through three members")
	f.IntVar(&o.units, "durable-units", 1_000_000, "units of the part through three members")
	f.IntVar(&o.submitters, "submitters", 4000, "commands under way at once in it")
	f.IntVar(&o.increments, "increments", 1000, "single units in the full cluster")
	f.IntVar(&o.losses, "losses", 20, "machines lost in it")
	f.BoolVar(&o.reports, "reports", false, "its machines report every unit as running, which is logged, too")
	f.DurationVar(&o.rest, "rest", 5*time.Second, "how long it is watched at rest")
	f.StringVar(&o.storage, "storage", string(consensus.Disk), "where its members keep their files: disk or memory")
	f.StringVar(&o.dir, "dir", os.TempDir(), "directory on the disk for its members")
}

// run checks the flags and returns the measurement.
func (o *durableOptions) run() (*fleetload.Run, error) {
	var errs []error
	storage := words(&errs, "storage", []string{o.storage}, consensus.Disk, consensus.Memory)
	numbers(&errs, "durable-machines", []int{o.machines}, 1, 100_000)
	numbers(&errs, "durable-units", []int{o.units}, 1, 1_000_000)
	numbers(&errs, "submitters", []int{o.submitters}, 1, 4000)
	numbers(&errs, "increments", []int{o.increments}, 1, 10_000)
	numbers(&errs, "losses", []int{o.losses}, 1, 1000)
	if o.rest < 100*time.Millisecond || o.rest > time.Hour {
		errs = append(errs, fmt.Errorf("--rest: %v, want 100ms to 1h", o.rest))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &fleetload.Run{
		Members: 3, Machines: o.machines, Units: o.units, Submitters: o.submitters, Reports: o.reports, Replicas: true,
		Increments: o.increments, Losses: o.losses, Rest: o.rest,
		Storage: storage[0], Links: consensus.TCP, Dir: o.dir,
	}, nil
}

// measureDurable runs the part through three members.
func (r *schedulerReport) measureDurable(ctx context.Context, update func(string)) (err error) {
	r.durableRun.Progress = func(what string) { update("three members: " + what) }
	r.durable, err = r.durableRun.Measure(ctx)
	if err != nil {
		return fmt.Errorf("through three members: %w", err)
	}
	return nil
}

// quick makes it a look of a few seconds, but for what was given.
func (o *durableOptions) quick(changed func(string) bool) {
	for _, one := range []struct {
		flag  string
		value *int
		to    int
	}{
		{"durable-machines", &o.machines, 100}, {"durable-units", &o.units, 10_000}, {"increments", &o.increments, 200}, {"losses", &o.losses, 10},
	} {
		if !changed(one.flag) {
			*one.value = one.to
		}
	}
	if !changed("rest") {
		o.rest = time.Second
	}
}

func (r *schedulerReport) printDurable(d *fleetload.Result) {
	out := r.env.Stdout
	where := "on the disk"
	if d.Storage == consensus.Memory {
		where = "in memory"
	}
	fmt.Fprintf(out, "\nthrough %d members, logs %s   %d machines with leases, %d units, each a command of its own\n", d.Members, where, d.Machines, d.Units)
	t := ui.NewTable(out)
	t.Row("sessions of all machines", fmt.Sprintf("%.2f s", d.OpenSeconds))
	f := &d.Fill
	t.Row("one by one: a place for every unit, committed", fmt.Sprintf("%.2f s", f.Seconds), fmt.Sprintf("%s units/s", report.Short(f.Rate)), fmt.Sprintf("%.1f µs CPU a unit, all members and the load", f.CPU))
	t.Row("", fmt.Sprintf("%.2f s", f.SubmitSeconds), "last command answered")
	t.Row("", fmt.Sprintf("%.2f s", f.SettledSeconds), "all members and machines have all", fmt.Sprintf("%.1f µs CPU a unit", f.SettledCPU))
	t.Row("", fmt.Sprintf("%.0f bytes", f.Sent/float64(max(d.Members-1, 1))), "of a log a unit", fmt.Sprintf("%d syncs of logs", f.Syncs))
	t.Row("", fmt.Sprintf("%.0f bytes", f.Pushed), "of orders a unit", fmt.Sprintf("%d lists", f.Pushes))
	if p := d.Replicas; p != nil {
		t.Row("as replicas of templates, 1000 each", fmt.Sprintf("%.2f s", p.Seconds), fmt.Sprintf("%s units/s", report.Short(p.Rate)), fmt.Sprintf("%.1f µs CPU a unit, all members and the load", p.CPU))
		t.Row("", fmt.Sprintf("%.2f s", p.SettledSeconds), "all members and machines have all", fmt.Sprintf("%.1f µs CPU a unit", p.SettledCPU))
	}
	t.Row("memory", fmt.Sprintf("%.0f bytes", d.Memory.HeapPerUnit/float64(d.Members)), "of heap a unit and member")
	t.Row("one more unit, until its place is committed", fmt.Sprintf("p50 %.2f ms", d.Increment.P50), fmt.Sprintf("p99 %.2f ms", d.Increment.P99), fmt.Sprintf("most %.2f ms, of %d", d.Increment.Most, d.Increment.Count))
	t.Row(fmt.Sprintf("a machine with %.0f units lost: decided", d.Loss.Units), fmt.Sprintf("p50 %.2f ms", d.Loss.Decide.P50), fmt.Sprintf("most %.2f ms", d.Loss.Decide.Most))
	t.Row("", fmt.Sprintf("p50 %.2f ms", d.Loss.Commit.P50), fmt.Sprintf("most %.2f ms", d.Loss.Commit.Most), "all places committed")
	t.Row("a new leader knows all of it", fmt.Sprintf("%.2f s", d.Takeover.Seconds), fmt.Sprintf("longest step %.1f ms", d.Takeover.LongestStep))
	t.Row("at rest", fmt.Sprintf("%.2f%% of a core", 100*d.Rest.Silent), "without beats")
	t.Row("", fmt.Sprintf("%.2f%% of a core", 100*d.Rest.Beats), fmt.Sprintf("with %.0f beats a second", d.Rest.BeatsPerSecond), fmt.Sprintf("%.1f µs a beat, its machine's part included", d.Rest.BeatMicros))
	t.Flush()
}
