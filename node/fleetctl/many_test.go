package fleetctl

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drydock/node/unit"
)

// TestMany: more units than one request asks for and than are changed one by one come
// up, in either kind of cluster, and none is told of twice.
func TestMany(t *testing.T) {
	for _, kind := range []string{"ours", "fleet"} {
		t.Run(kind, func(t *testing.T) {
			t.Chdir(t.TempDir())
			synctest.Test(t, func(t *testing.T) {
				var names []string
				for i := range 110 {
					names = append(names, fmt.Sprintf("many@%d", i))
				}
				all := strings.Join(names, " ")
				got := play(t, "% "+kind+"\n% pages 100\n% machine "+strings.Repeat("1", 32)+" 10.0.0.1\n"+
					`% file many@.service [Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n`+
					"\n$ start "+all+"\n$ list-units --no-legend many@2?\n$ stop "+all+"\n$ destroy 'many@*'\n$ list-unit-files\n")
				for _, want := range []struct {
					text  string
					count int
				}{
					{".service inactive\n", 110},
					{".service launched on 11111111.../10.0.0.1\n", 110},
					{".service\t11111111.../10.0.0.1\tactive\trunning\n", 10},
					{".service loaded on 11111111.../10.0.0.1\n", 110},
					{"| Destroyed many@", 110},
					{"\n= ", 0},
					{"waits", 0},
				} {
					if n := strings.Count(got, want.text); n != want.count {
						t.Errorf("%q %d times, want %d", want.text, n, want.count)
					}
				}
				if t.Failed() {
					t.Log(got[:min(len(got), 2000)])
				}
			})
		})
	}
}

// TestFlood: while many units wait for one thing, little is said.
func TestFlood(t *testing.T) {
	t.Chdir(t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("many@%d", i))
		}
		got := play(t, `% file many@.service [Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n`+
			"\n& start "+strings.Join(names, " ")+"\n% after 1m\n% interrupt\n% wait\n")
		before, _, _ := strings.Cut(got, "30 more wait\n")
		if n := strings.Count(before, "waits: no machine"); n != 10 {
			t.Errorf("%d lines before the others are counted:\n%s", n, got)
		}
	})
}

// TestFormats: amounts can be read back, and spans have two units at most.
func TestFormats(t *testing.T) {
	for _, tc := range []struct{ resource, text string }{
		{unit.CPU, "1.5"}, {unit.Memory, "512M"}, {unit.Memory, "1000"}, {unit.Disk, "3T"}, {"gpu", "2"}, {unit.Memory, "0"},
	} {
		n, err := unit.ParseAmount(tc.resource, tc.text)
		if got := amount(tc.resource, n); err != nil || got != tc.text {
			t.Errorf("%s %s: %s, %v", tc.resource, tc.text, got, err)
		}
	}
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "59s": 59 * time.Second, "2min 5s": 125 * time.Second, "3h 1min": 181 * time.Minute, "2d 3h": 51 * time.Hour,
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
