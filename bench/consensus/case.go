package consensus

import (
	"fmt"
	"slices"
	"time"

	"drydock/bench/pairs"
)

// Work is what is done over and over.
type Work string

// The kinds of work; see the package comment.
const (
	Core  Work = "core"
	Apply Work = "apply"
	Write Work = "write"
	Read  Work = "read"
)

// Systems that can do it.
const (
	Own  = "drydock"
	Peer = "hashicorp"
)

// Storage is where the members of a cluster keep their files.
type Storage string

// Links is how the members of a cluster reach each other.
type Links string

// Where files are, and how frames travel.
const (
	Memory  Storage = "memory"
	Disk    Storage = "disk"
	Process Links   = "process"
	TCP     Links   = "tcp"
)

// Case is one row's work.
type Case struct {
	System  string  `json:"system"`
	Work    Work    `json:"work"`
	Members int     `json:"members"`
	Storage Storage `json:"storage"`
	Links   Links   `json:"links"`
	// Depth is how many commands are under way at once: the size of a batch for
	// core and apply, the number of proposers otherwise.
	Depth int `json:"depth"`
	// Value is the size of a command's value in bytes.
	Value int `json:"valueBytes"`
}

// String names the case as errors and progress do.
func (c Case) String() string {
	return fmt.Sprintf("%s %s, %d members, %s, %s, depth %d, %d bytes", c.System, c.Work, c.Members, c.Storage, c.Links, c.Depth, c.Value)
}

// cluster is the part of a case that its members are made by: cases that differ
// in nothing else share them.
func (c Case) cluster() Case {
	switch c.Work {
	case Write, Read:
		return Case{System: c.System, Work: Write, Members: c.Members, Storage: c.Storage, Links: c.Links}
	case Core, Apply:
	}
	return c
}

// Sample is what one round of a case came to.
type Sample struct {
	Seconds float64 `json:"seconds"`
	// Operations were committed and answered in that time.
	Operations int `json:"operations"`
	// Rate is operations a second.
	Rate float64 `json:"rate"`
	// CPU is microseconds of this process an operation; Allocs and Bytes are its
	// allocations.
	CPU    float64 `json:"cpuMicros"`
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"allocBytes"`
	// Frames and Sent are frames between members and their bytes, Syncs the syncs
	// of their logs, all an operation.
	Frames float64 `json:"frames"`
	Sent   float64 `json:"sentBytes"`
	Syncs  float64 `json:"syncs"`
	// SyncTime is how long a sync of a member's log took on average, in
	// microseconds: what a write can't be faster than.
	SyncTime float64 `json:"syncMicros,omitempty"`
	// Changes counts the changes of leaders in that time: nobody asked for one.
	Changes uint64 `json:"leaderChanges"`
	// P50, P99 and P999 are latencies in microseconds.
	P50  float64 `json:"p50Micros"`
	P99  float64 `json:"p99Micros"`
	P999 float64 `json:"p999Micros"`
	// Pressure is the share of the moment before the round in which something
	// waited for a CPU, in percent; negative if the system doesn't tell.
	Pressure float64 `json:"pressure"`
}

// Figure is the median of a figure over the rounds, with its extremes.
type Figure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// figure summarizes.
func figure(values []float64) Figure {
	if len(values) == 0 {
		return Figure{}
	}
	s := slices.Sorted(slices.Values(values))
	median := s[len(s)/2]
	if len(s)%2 == 0 {
		median = (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return Figure{Median: median, Least: s[0], Most: s[len(s)-1]}
}

// Row is a case with its rounds.
type Row struct {
	Case
	Rounds []Sample `json:"rounds"`
}

// Figure summarizes one figure of the row over its rounds.
func (r *Row) Figure(of func(*Sample) float64) Figure {
	values := make([]float64, 0, len(r.Rounds))
	for i := range r.Rounds {
		values = append(values, of(&r.Rounds[i]))
	}
	return figure(values)
}

// Compare compares two rows round by round: of(a)/of(b).
func Compare(a, b *Row, of func(*Sample) float64) (pairs.Ratio, error) {
	n := min(len(a.Rounds), len(b.Rounds))
	one, other := make([]float64, n), make([]float64, n)
	for i := range n {
		one[i], other[i] = of(&a.Rounds[i]), of(&b.Rounds[i])
	}
	return pairs.Compare(one, other, 1)
}

// Selection says which cases are measured: all combinations of its lists, for
// the kinds of work that know them.
type Selection struct {
	Works    []Work
	Members  []int
	Storages []Storage
	Links    []Links
	Depths   []int
	Values   []int
	// Peer adds the same for another library, where it can do it.
	Peer bool
}

// Cases lists the combinations. A single member has no links, core and apply have
// none but calls, and the size of a value is nothing to a read.
func (s *Selection) Cases() []Case {
	var list []Case
	add := func(c Case) {
		if c.Members == 1 || c.Work == Core || c.Work == Apply {
			c.Links = Process
		}
		if c.Work == Read {
			c.Value = s.Values[0]
		}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	for _, work := range s.Works {
		s.combine(func(c Case) {
			c.System, c.Work = Own, work
			add(c)
			if s.Peer && work == Write {
				c.System = Peer
				add(c)
			}
		})
	}
	return list
}

// Clusters lists the clusters among the combinations that outlive a member.
func (s *Selection) Clusters() []Case {
	var list []Case
	s.combine(func(c Case) {
		c.System, c.Work = Own, Write
		if c = c.cluster(); c.Members > 2 && !slices.Contains(list, c) {
			list = append(list, c)
		}
	})
	return list
}

// combine calls each with every combination of sizes.
func (s *Selection) combine(each func(Case)) {
	for _, members := range s.Members {
		for _, storage := range s.Storages {
			for _, links := range s.Links {
				for _, depth := range s.Depths {
					for _, value := range s.Values {
						each(Case{Members: members, Storage: storage, Links: links, Depth: depth, Value: value})
					}
				}
			}
		}
	}
}

// Times are how long parts of a round take.
type Times struct {
	// Warm is thrown away before Round is measured.
	Warm, Round time.Duration
}
