package fleetload

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"drydock/bench/consensus"
)

// Result is what one run came to. CPU is that of the process: all members and the load
// generator.
type Result struct {
	Members  int `json:"members"`
	Machines int `json:"machines"`
	Units    int `json:"units"`
	// Submitters is how many commands were under way at once in the fill.
	Submitters int `json:"submitters"`
	// Storage and Links are the members'.
	Storage consensus.Storage `json:"storage"`
	Links   consensus.Links   `json:"links"`
	// Reported says that machines reported each unit as running.
	Reported bool `json:"reported"`

	// OpenSeconds is how long it took to give all machines sessions.
	OpenSeconds float64 `json:"openSeconds"`
	Fill        Fill    `json:"fill"`
	// Replicas is the same number of units in a cluster of their own, made by templates
	// with Replicas=, a thousand each: one command makes them all.
	Replicas *Fill `json:"replicas,omitempty"`
	// Increment is of single units in the full cluster, from the command to the
	// committed place.
	Increment Latency `json:"increment"`
	Loss      Loss    `json:"loss"`
	// Takeover is what a new leader takes to know the full cluster.
	Takeover Takeover `json:"takeover"`
	Rest     Rest     `json:"rest"`
	Memory   Memory   `json:"memory"`
}

// Fill is how the cluster was filled.
type Fill struct {
	// Seconds until a majority had applied a place for each unit, SubmitSeconds until
	// the last command was answered; SettledSeconds until all members had, and machines
	// had their orders and, if they report, all reports were noted.
	Seconds        float64 `json:"seconds"`
	SubmitSeconds  float64 `json:"submitSeconds"`
	SettledSeconds float64 `json:"settledSeconds"`
	// Rate is units a second.
	Rate float64 `json:"unitsPerSecond"`
	// CPU is microseconds a unit until Seconds, SettledCPU until SettledSeconds.
	CPU        float64 `json:"cpuMicrosPerUnit"`
	SettledCPU float64 `json:"settledCpuMicrosPerUnit"`
	// Allocated is bytes a unit, Syncs those of all logs, Sent what members sent each
	// other a unit: an entry goes to each of the others, so a log's share is
	// Sent/(members-1).
	Allocated float64 `json:"allocatedBytesPerUnit"`
	Syncs     uint64  `json:"syncs"`
	Sent      float64 `json:"sentBytesPerUnit"`
	// Moves were proposed, RefusedMoves of them came too late; Pushes of orders were
	// sent in so many bytes a unit.
	Moves        uint64  `json:"moves"`
	RefusedMoves uint64  `json:"refusedMoves"`
	Pushes       uint64  `json:"pushes"`
	Pushed       float64 `json:"pushedBytesPerUnit"`
}

// Loss is of machines that are lost one after another.
type Loss struct {
	// Units were on a lost machine, on average.
	Units float64 `json:"units"`
	// Decide is from the applied end of a session to the last proposed place, of the
	// leader's side alone; Commit to the last committed place, through the members.
	Decide Latency `json:"decide"`
	Commit Latency `json:"commit"`
}

// Takeover is how long a new leader reads the state before it decides anything, in
// steps between which it does everything else.
type Takeover struct {
	Seconds     float64 `json:"seconds"`
	LongestStep float64 `json:"longestStepMillis"`
}

// Rest is the share of one core that the process takes while nobody asks anything.
type Rest struct {
	// Beats is with machines' beats, as many as BeatsPerSecond; Silent without, while
	// leases last.
	Beats          float64 `json:"beats"`
	BeatsPerSecond float64 `json:"beatsPerSecond"`
	// BeatMicros is what a beat takes: the difference, by their number.
	BeatMicros float64 `json:"cpuMicrosPerBeat"`
	Silent     float64 `json:"silent"`
}

// Memory is heap in use after a collection, less that before the fill.
type Memory struct {
	// HeapPerUnit is bytes a unit of all members, the leader's scheduler and the load
	// included.
	HeapPerUnit float64 `json:"heapBytesPerUnitAllMembers"`
}

// Latency sums up times in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50Millis"`
	P99   float64 `json:"p99Millis"`
	Most  float64 `json:"mostMillis"`
}

// The range of latencies and their precision.
const (
	leastLatency = time.Microsecond
	mostLatency  = time.Minute
	digits       = 3
)

// times gathers latencies.
type times struct{ h *hdrhistogram.Histogram }

func newTimes() times {
	return times{hdrhistogram.New(int64(leastLatency), int64(mostLatency), digits)}
}

func (t times) add(d time.Duration) {
	// What is out of range counts as the range's end.
	_ = t.h.RecordValue(int64(min(max(d, leastLatency), mostLatency)))
}

func (t times) latency() Latency {
	millis := func(q float64) float64 { return float64(t.h.ValueAtQuantile(q)) / float64(time.Millisecond) }
	return Latency{Count: int(t.h.TotalCount()), P50: millis(50), P99: millis(99), Most: millis(100)}
}
