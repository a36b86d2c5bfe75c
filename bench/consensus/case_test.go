package consensus

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFigure(t *testing.T) {
	tests := []struct {
		values []float64
		want   Figure
	}{
		{nil, Figure{}},
		{[]float64{7}, Figure{7, 7, 7}},
		{[]float64{9, 1, 5}, Figure{5, 1, 9}},
		{[]float64{4, 1, 2, 9}, Figure{3, 1, 9}},
	}
	for _, tt := range tests {
		if got := figure(tt.values); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.values, got, tt.want)
		}
	}
}

func TestCasesLeaveOutWhatMakesNoDifference(t *testing.T) {
	s := Selection{
		Works: []Work{Core, Write, Read}, Members: []int{1, 3}, Storages: []Storage{Memory},
		Links: []Links{Process, TCP}, Depths: []int{4}, Values: []int{64, 256}, Peer: true,
	}
	var got []string
	for _, c := range s.Cases() {
		got = append(got, c.String())
	}
	want := []string{
		"drydock core, 1 members, memory, process, depth 4, 64 bytes",
		"drydock core, 1 members, memory, process, depth 4, 256 bytes",
		"drydock core, 3 members, memory, process, depth 4, 64 bytes",
		"drydock core, 3 members, memory, process, depth 4, 256 bytes",
		"drydock write, 1 members, memory, process, depth 4, 64 bytes",
		"hashicorp write, 1 members, memory, process, depth 4, 64 bytes",
		"drydock write, 1 members, memory, process, depth 4, 256 bytes",
		"hashicorp write, 1 members, memory, process, depth 4, 256 bytes",
		"drydock write, 3 members, memory, process, depth 4, 64 bytes",
		"hashicorp write, 3 members, memory, process, depth 4, 64 bytes",
		"drydock write, 3 members, memory, process, depth 4, 256 bytes",
		"hashicorp write, 3 members, memory, process, depth 4, 256 bytes",
		"drydock write, 3 members, memory, tcp, depth 4, 64 bytes",
		"hashicorp write, 3 members, memory, tcp, depth 4, 64 bytes",
		"drydock write, 3 members, memory, tcp, depth 4, 256 bytes",
		"hashicorp write, 3 members, memory, tcp, depth 4, 256 bytes",
		"drydock read, 1 members, memory, process, depth 4, 64 bytes",
		"drydock read, 3 members, memory, process, depth 4, 64 bytes",
		"drydock read, 3 members, memory, tcp, depth 4, 64 bytes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(s.Clusters()); n != 2 {
		t.Errorf("%d clusters that can lose a leader, want 2: %v", n, s.Clusters())
	}
	r := Run{Cases: s.Cases()}
	// Four cores; members of Drydock: one, three by calls, three by TCP; and the
	// other library's three.
	if groups := r.groups(); len(groups) != 4+3+3 || len(slices.Concat(groups...)) != len(r.Cases) {
		t.Errorf("groups %v", groups)
	}
}

func TestPlausible(t *testing.T) {
	tests := []struct {
		work  Work
		syncs float64
		ok    bool
	}{
		{Write, 3, true},
		{Write, 2.0 / 64, true},
		{Write, 0.5 / 64, false},
		{Core, 0, false},
		{Read, 0, true},
	}
	for _, tt := range tests {
		s := Sample{Syncs: tt.syncs}
		if err := s.plausible(Case{Work: tt.work, Members: 3, Depth: 64}); (err == nil) != tt.ok {
			t.Errorf("%s with %v syncs: %v", tt.work, tt.syncs, err)
		}
	}
}

func TestParseStalled(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"some avg10=1.00 avg60=2.00 avg300=3.00 total=42\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", 42 * time.Microsecond, true},
		{"", 0, false},
		{"some avg10=1.00\n", 0, false},
		{"full avg10=1.00 total=42\n", 0, false},
		{"some total=-1\n", 0, false},
		{"some avg10=1 total=x\n", 0, false},
		{"some avg10=1 total=-5\n", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseStalled(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %v, %v", tt.text, got, ok)
		}
	}
}

func FuzzParseStalled(f *testing.F) {
	f.Add("some avg10=1.00 avg60=2.00 avg300=3.00 total=42\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := parseStalled(text); ok && (!strings.HasPrefix(text, "some ") || !strings.Contains(text, "total=")) {
			t.Errorf("%q: %v", text, d)
		}
	})
}

func TestSampleOfNothingIsRefused(t *testing.T) {
	var s Sample
	if err := s.fill(usage{at: time.Unix(0, 0)}, usage{at: time.Unix(1, 0)}, 0); err == nil {
		t.Error("a round without an operation has figures")
	}
	if err := s.fill(usage{at: time.Unix(0, 0)}, usage{at: time.Unix(2, 0), cpu: time.Second, allocs: 40, bytes: 400}, 20); err != nil {
		t.Fatal(err)
	}
	want := Sample{Seconds: 2, Operations: 20, Rate: 10, CPU: 50000, Allocs: 2, Bytes: 20}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}
