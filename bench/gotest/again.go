package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// againEnv names packages, as go list takes them, whose tests may fail once.
const againEnv = "AGAIN"

// again runs what has failed of a call once more, alone, and says whether all of that
// passes. It does nothing where anything has failed for good, or may not fail once.
func again(ctx context.Context, s *summary, call, may []string, fault io.Writer) bool {
	failed := s.failed
	if len(failed) == 0 || len(may) == 0 {
		return false
	}
	out, err := exec.CommandContext(ctx, "go", append([]string{"list"}, may...)...).Output()
	if err != nil {
		_, _ = fmt.Fprintf(fault, "gotest: %s: %v\n", againEnv, err)
		return false
	}
	list := strings.Fields(string(out))
	for pkg, f := range failed { // any order: each is asked
		if f.forGood || !slices.Contains(list, pkg) {
			return false
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(failed)) {
		var names []string
		for _, name := range failed[pkg].tests {
			names = append(names, regexp.QuoteMeta(name))
		}
		args := append(options(call), "-count=1", "-run=^("+strings.Join(names, "|")+")$", pkg)
		s.write("failed, and run again alone: go test " + strings.Join(args, " ") + "\n")
		s.passed = map[string]bool{}
		if goTest(ctx, s, args, fault) != 0 {
			return false
		}
		for _, name := range failed[pkg].tests {
			if !s.passed[pkg+" "+name] {
				s.write("it has not passed: " + pkg + " " + name + "\n")
				return false
			}
			s.second = append(s.second, pkg+" "+name)
		}
	}
	return true
}

// valued are the options of go test that this program is called with and whose value is
// an argument of its own.
var valued = []string{"-p", "-parallel", "-tags", "-timeout"}

// options are a call's arguments before its packages.
func options(call []string) (list []string) {
	for i := 0; i < len(call) && strings.HasPrefix(call[i], "-"); i++ {
		list = append(list, call[i])
		if slices.Contains(valued, call[i]) && i+1 < len(call) {
			i++
			list = append(list, call[i])
		}
	}
	return list
}

// lucky writes which tests did not pass at once.
func (s *summary) lucky() {
	if len(s.second) == 0 {
		return
	}
	s.write(fmt.Sprintf("%d tests failed, and passed when they were run again, alone:\n", len(s.second)))
	for _, name := range s.second {
		s.write("  " + name + "\n")
	}
}
