package kv

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/bench/floor"
	"drydock/bench/load"
	"drydock/node/ui"
)

var update = flag.Bool("update", false, "write testdata anew")

// fixed makes the samples of one cell: n pairs in which ours takes scale of what the
// other does; busy ones of them had neighbours.
func fixed(cell Cell, n, busy int, scale float64, systems ...string) CellResult {
	c := CellResult{Cell: cell}
	for pair := range n {
		drift := 1 + 0.1*float64(pair%4) // the machine's, shared by both
		for i, system := range systems {
			s := Sample{System: system, Pair: pair, Ops: 1000, Seconds: 2, Foreign: 0.1, Flushes: 0.1, ClientCPU: 12, ServerCPU: 180 * drift, Rate: 4000 / drift, latency: load.NewLatency()}
			if i == 0 {
				s.ServerCPU, s.Rate = s.ServerCPU*scale*(1+0.01*float64(pair)), s.Rate/scale
			}
			if pair < busy {
				s.Foreign = 0.6
			}
			for k := 1; k <= 1000; k++ {
				s.latency.Record(time.Duration(float64(k)*drift*[]float64{scale, 1}[i]) * 10 * time.Microsecond)
			}
			us := func(share float64) float64 { return float64(s.latency.At(share)) / float64(time.Microsecond) }
			s.P50, s.P99, s.P999, s.Max = us(0.5), us(0.99), us(0.999), us(1)
			c.Samples = append(c.Samples, s)
		}
	}
	return c
}

// sampleReport is a run with something of everything.
func sampleReport(t *testing.T, systems ...string) *Report {
	t.Helper()
	r := newReport(Options{ValueBytes: 256, Keys: 1000, Pairs: 10, Warmup: 500 * time.Millisecond, Duration: 2 * time.Second, Seed: 7})
	r.Settings.CPUs, r.Settings.OS, r.Settings.Disk, r.Settings.ClientThreads = 2, "linux/amd64", "vda", 1
	r.Floor = &floor.Floor{
		Sync: floor.Times{P50: 117, P99: 260, Rate: 8027}, SyncGrow: floor.Times{P50: 211, Rate: 4582},
		Loopback: floor.Times{P50: 31, Rate: 30000}, CopyGB: 14,
		Answers: &floor.Answers{Conns: 64, Rate: 90000, ServerCPU: 6, ClientCPU: 9},
	}
	for _, s := range systems {
		r.Systems = append(r.Systems, SystemInfo{Name: s, Version: map[string]string{"drydock": "drydock 1.2   go1.26", "etcd": "3.4.23"}[s]})
	}
	slow := fixed(Cell{Members: 3, Work: "get", Conns: 1}, 10, 0, 1, systems...)
	for i := range slow.Samples {
		slow.Samples[i].ClientCPU = 300
	}
	slow.Failures = []Failure{{System: systems[0], Reason: errElection.Error()}}
	r.Elections[systems[0]] = 1
	open := fixed(Cell{Members: 3, Work: "put", Conns: 256, Load: 0.7, Asked: 2800}, 8, 8, 0.5, systems...)
	for i := range open.Samples {
		open.Samples[i].Flushes = 0
	}
	open.Samples[0].Unanswered = 12
	r.Cells = []CellResult{
		fixed(Cell{Members: 3, Work: "put", Conns: 64}, 10, 2, 0.3, systems...), slow,
		fixed(Cell{Members: 3, Work: "cas", Conns: 16}, 3, 0, 0.3, systems...),
		{Cell: Cell{Members: 3, Work: "append", Conns: 16}},
		fixed(Cell{Members: 3, Work: "put", Conns: 1}, 10, 0, 0.5, systems...),
		open,
		fixed(Cell{Members: 3, Work: "put", Conns: 64, Memory: true}, 10, 0, 0.25, systems...),
	}
	for i := range r.Cells {
		if err := r.Cells[i].judge(r, 7); err != nil {
			t.Fatal(err)
		}
	}
	timers := Timers{Heartbeat: 50 * time.Millisecond, Election: 250 * time.Millisecond}
	kill := Failover{Kind: killed, Timers: timers, Trials: map[string][]Trial{}, Failures: []Failure{{systems[0], errNoWrite.Error()}}}
	stop := Failover{Kind: stopped, Timers: timers, Trials: map[string][]Trial{}}
	for i, s := range systems {
		for k := range 8 {
			if i > 0 || k > 0 { // the first of ours has failed
				kill.Trials[s] = append(kill.Trials[s], Trial{Pair: k, Gap: 300 + float64(10*k+100*i)})
			}
			stop.Trials[s] = append(stop.Trials[s], Trial{Pair: k, Gap: 20 + float64(k), Before: 9})
		}
	}
	for _, f := range []Failover{kill, stop} {
		if err := f.judge(r.Systems, 7); err != nil {
			t.Fatal(err)
		}
		r.Failovers = append(r.Failovers, f)
	}
	return r
}

func TestWrite(t *testing.T) {
	none := newReport(Options{Pairs: 3})
	none.Settings.CPUs, none.Settings.OS, none.Systems = 2, "linux/amd64", []SystemInfo{{Name: "drydock", Version: "(devel)"}}
	for name, r := range map[string]*Report{
		"pair":  sampleReport(t, "drydock", "etcd"),
		"alone": sampleReport(t, "drydock"),
		"none":  none,
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			Write(&ui.Env{Stdout: &out, Getenv: func(string) string { return "" }}, r)
			golden(t, name+".txt", out.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
	}
}

// TestWriteColour: colour only repeats what words say.
func TestWriteColour(t *testing.T) {
	r := sampleReport(t, "drydock", "etcd")
	write := func(color string, vars map[string]string) string {
		var out bytes.Buffer
		Write(&ui.Env{Stdout: &out, OutTTY: true, Color: color, Getenv: func(k string) string { return vars[k] }}, r)
		return out.String()
	}
	plain := write("auto", map[string]string{"NO_COLOR": "1"})
	coloured := write("auto", nil)
	if strings.ContainsRune(plain, 0x1b) || !strings.ContainsRune(coloured, 0x1b) {
		t.Error("NO_COLOR is not heeded, or nothing is coloured")
	}
	if got := strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(coloured); got != plain {
		t.Errorf("without its colours the output differs:\n%s", cmp.Diff(plain, got))
	}
}

// TestJSON holds the names that programs read to what they are.
func TestJSON(t *testing.T) {
	text, err := json.MarshalIndent(sampleReport(t, "drydock", "etcd").Cells[0].Ratios["serverCPU"], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "ratio.json", string(text)+"\n")
	var back Report
	whole, err := json.Marshal(sampleReport(t, "drydock", "etcd"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole, &back); err != nil || len(back.Cells) != 7 || back.Cells[0].Calm != 8 || len(back.Cells[0].Samples) != 20 {
		t.Errorf("%d cells, %v", len(back.Cells), err)
	}
}

func TestCompareLeavesOutHalfPairs(t *testing.T) {
	c := fixed(Cell{Work: "put"}, 8, 0, 0.5, "a", "b")
	c.Samples = c.Samples[1:] // the first round of a failed
	r := &Report{Systems: []SystemInfo{{Name: "a"}, {Name: "b"}}, Loaded: make(map[string]float64)}
	if err := c.judge(r, 1); err != nil {
		t.Fatal(err)
	}
	if got := c.Ratios["serverCPU"]; got.Pairs != 7 || got.Median < 0.49 || got.Median > 0.55 {
		t.Errorf("%+v, want 7 pairs of about a half", got)
	}
	if c.Summaries["a"].Rounds != 7 || c.Summaries["b"].Rounds != 8 {
		t.Errorf("%+v", c.Summaries)
	}
}

func TestSlowestPeak(t *testing.T) {
	r := &Report{Systems: []SystemInfo{{Name: "a"}, {Name: "b"}}}
	cells := []CellResult{fixed(Cell{Work: "put", Conns: 1}, 1, 0, 2, "a", "b"), fixed(Cell{Work: "put", Conns: 64}, 1, 0, 1.25, "a", "b")}
	if got := slowestPeak("put", r.Systems, cells); got != 3200 {
		t.Errorf("%v, want a's best, 3200", got)
	}
	if got := slowestPeak("get", r.Systems, cells); got != 0 {
		t.Errorf("of no round: %v", got)
	}
}
