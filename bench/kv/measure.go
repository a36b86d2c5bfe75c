package kv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"drydock/bench/load"
)

// Cell is one kind of load on one size of cluster: what a line of the report is
// about.
type Cell struct {
	// Members is how many voters there are.
	Members int `json:"members"`
	// Work is the workload's name.
	Work string `json:"work"`
	// Conns is how many connections there are.
	Conns int `json:"conns"`
	// Load is 0 in the closed loop, else the share of the slower system's peak that
	// was asked for, and Asked that in operations a second.
	Load  float64 `json:"load,omitempty"`
	Asked float64 `json:"asked,omitempty"`
	// Memory says that the data was on a file system in memory, so that no sync
	// costs anything.
	Memory bool `json:"memory,omitempty"`
}

// Sample is one round of one system.
type Sample struct {
	System string `json:"system"`
	// Pair is which of the rounds, from 0, First whether it came before the other
	// system's.
	Pair  int  `json:"pair"`
	First bool `json:"first"`
	// Ops is how many operations were completed in Seconds, Unanswered how many
	// were due then and had no answer at the end.
	Ops        int64   `json:"ops"`
	Seconds    float64 `json:"seconds"`
	Unanswered int64   `json:"unanswered,omitempty"`
	// Rate is operations a second.
	Rate float64 `json:"rate"`
	// ServerCPU and ClientCPU are microseconds of CPU an operation, of all servers
	// of the system, and of this process.
	ServerCPU float64 `json:"serverCPU"`
	ClientCPU float64 `json:"clientCPU"`
	// Flushes is flushes of the disk's cache an operation, by anybody.
	Flushes float64 `json:"flushes"`
	// P50 and the others are latencies in microseconds.
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
	// Foreign is the share of all CPUs that others had, Pressure the share of the
	// time in which anybody, ours too, waited for one.
	Foreign  float64 `json:"foreign"`
	Pressure float64 `json:"pressure"`

	latency *load.Latency
}

// errElection says that a round was none, since another member came to lead.
var errElection = errors.New("kv: another member came to lead during the round")

// round is what a measurement needs to know.
type round struct {
	Cell
	keys             int
	value            []byte
	warmup, duration time.Duration
	workers          int
	seed             uint64
	dir              string // of the data, to find its disk
}

// measure takes a round of a cluster, at the member that leads.
func measure(ctx context.Context, c *cluster, r round) (Sample, error) {
	w, err := workload(r.Work)
	if err != nil {
		return Sample{}, err
	}
	lead, err := c.leader(ctx)
	if err != nil {
		return Sample{}, err
	}
	addr := c.addrs[lead]
	j := job{host: addr, conns: r.Conns, keys: r.keys, value: r.value, seed: r.seed, dir: fmt.Sprintf("%sround-%x", keyDir, r.seed)}
	if j.begun, err = begin(ctx, j); err != nil {
		return Sample{}, err
	}
	m := meter{pids: c.pids(), disk: diskOf(r.dir)}
	var before, after reading
	result, err := load.Run(ctx, load.Options{
		Addrs: []string{addr}, Conns: r.Conns, Workers: workersFor(w, r), Rate: r.Asked,
		Warmup: r.warmup, Duration: r.duration, Work: w.make(j),
		Begin: func() (err error) { before, err = m.read(); return err },
		End:   func() (err error) { after, err = m.read(); return err },
	})
	if err != nil {
		return Sample{}, err
	}
	if err := finish(ctx, j); err != nil {
		return Sample{}, err
	}
	if now, err := c.leader(ctx); err != nil || now != lead {
		return Sample{}, errors.Join(errElection, err)
	}
	if result.Ops == 0 {
		return Sample{}, fmt.Errorf("%w: none in %v", errAnswer, r.duration)
	}
	return sample(c.sys.Name, result, after.since(before)), nil
}

// workersFor is how many threads put the load on.
func workersFor(w Workload, r round) int {
	if !w.steady {
		return 1
	}
	return r.workers
}

func sample(system string, r *load.Result, t taken) Sample {
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	n := float64(r.Ops)
	return Sample{
		System: system, Ops: r.Ops, Seconds: r.Elapsed.Seconds(), Unanswered: r.Unanswered,
		Rate: n / r.Elapsed.Seconds(), ServerCPU: us(t.servers) / n, ClientCPU: us(t.self) / n, Flushes: float64(t.flushes) / n,
		P50: us(r.Latency.At(0.5)), P99: us(r.Latency.At(0.99)), P999: us(r.Latency.At(0.999)), Max: us(r.Latency.Max()),
		Foreign: t.foreign, Pressure: t.pressure, latency: r.Latency,
	}
}

// workload finds a workload by its name.
func workload(name string) (Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("kv: no workload %q", name)
}

// begin makes the round's directory and returns the index that it was made at.
func begin(ctx context.Context, j job) (int64, error) {
	body, err := once(ctx, j.host, appendForm(nil, "PUT", j.host, []byte(j.dir+"/begun"), []byte("x")), readyTime)
	if err != nil {
		return 0, fmt.Errorf("kv: before the round: %w", err)
	}
	return modified(body)
}

// finish removes what the round has created, so that the next has no more to carry.
func finish(ctx context.Context, j job) error {
	request := fmt.Appendf(nil, "DELETE %s?recursive=true HTTP/1.1\r\nHost: %s\r\n\r\n", j.dir, j.host)
	if _, err := once(ctx, j.host, request, readyTime); err != nil {
		return fmt.Errorf("kv: after the round: %w", err)
	}
	return nil
}

// fillers is how many connections write the keys before the rounds.
const fillers = 16

// fill writes all keys once, so that every later write replaces a value and every
// read finds one.
func fill(ctx context.Context, c *cluster, keys int, value []byte) error {
	lead, err := c.leader(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, fillers)
	var group sync.WaitGroup
	for i := range fillers {
		group.Go(func() { errs[i] = fillEvery(ctx, c.addrs[lead], i, keys, value) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("kv: fill %s: %w", c.sys.Name, err)
	}
	return nil
}

// fillEvery writes each of so many keys, from the first on.
func fillEvery(ctx context.Context, addr string, first, keys int, value []byte) error {
	client, err := load.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	for i := first; i < keys; i += fillers {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := client.Do(appendForm(nil, "PUT", addr, appendKey(nil, i), value), readyTime)
		if err != nil {
			return err
		}
		if err := expect(&a, `{"action":"set"`, len(value)); err != nil {
			return err
		}
	}
	return nil
}
