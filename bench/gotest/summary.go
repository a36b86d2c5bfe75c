package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json. (go doc test2json)
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string
	Output     string
}

// summary writes what go test would, and gathers what was skipped.
type summary struct {
	out io.Writer
	// said are the lines of tests that have not ended, and of packages.
	said map[string][]string
	// reasons are the skipped tests by their reason.
	reasons map[string][]string
	// failed are a call's packages that have; second are the tests that passed when they
	// were run again.
	failed map[string]*failure
	second []string
	// mortal are packages that have said what no test does that may be run again.
	mortal map[string]bool
	// open are the tests that have begun and not ended, passed those that have passed, by
	// package and name.
	open, passed map[string]bool
}

// failure is what has failed of a package: some of its tests, or it for good.
type failure struct {
	tests   []string
	forGood bool
}

// mortal is in what go test says where to run a test again would prove nothing.
var mortal = regexp.MustCompile(`^(panic: |fatal error: |WARNING: DATA RACE|SIG[A-Z]+: )|\[build failed\]|\[setup failed\]`)

// fails takes note that a test has failed, or, without a name, that its package has.
func (s *summary) fails(pkg, test string) {
	if s.failed == nil {
		s.failed = map[string]*failure{}
	}
	f := s.failed[pkg]
	if f == nil {
		f = &failure{}
		s.failed[pkg] = f
	}
	if test, _, _ := strings.Cut(test, "/"); test != "" && !slices.Contains(f.tests, test) {
		f.tests = append(f.tests, test)
	}
	if test == "" {
		f.forGood = len(f.tests) == 0 || s.mortal[pkg]
		for key := range s.open { // any order: one is enough
			f.forGood = f.forGood || strings.HasPrefix(key, pkg+" ")
		}
	}
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, said: map[string][]string{}, reasons: map[string][]string{}, mortal: map[string]bool{}, open: map[string]bool{}, passed: map[string]bool{}}
}

// read reads events until their end. A line that is none is written as it is.
func (s *summary) read(from *bufio.Reader) error {
	for {
		line, err := from.ReadString('\n')
		var e event
		if line != "" && json.Unmarshal([]byte(line), &e) != nil {
			s.write(line)
		} else if line != "" {
			s.take(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) write(text string) { _, _ = io.WriteString(s.out, text) }

// take takes one event.
func (s *summary) take(e event) {
	key := e.Package + " " + e.Test
	if e.Test != "" {
		switch e.Action {
		case "run":
			s.open[key] = true
		case "pass", "fail", "skip":
			delete(s.open, key)
			s.passed[key] = e.Action == "pass"
		}
	}
	switch e.Action {
	case "build-output":
		s.write(e.Output)
	case "output":
		if mortal.MatchString(e.Output) {
			s.mortal[e.Package] = true
		}
		s.said[key] = append(s.said[key], e.Output)
	case "skip":
		if e.Test != "" {
			why := reason(s.said[key])
			if name := e.Package + " " + e.Test; !slices.Contains(s.reasons[why], name) {
				s.reasons[why] = append(s.reasons[why], name)
			}
		} else {
			s.flush(key)
		}
		delete(s.said, key)
	case "pass":
		if e.Test == "" {
			s.flush(key)
		}
		delete(s.said, key)
	case "fail":
		s.fails(e.Package, e.Test)
		s.flush(key)
		if e.Test == "" {
			s.unended(e.Package)
		}
	}
}

// flush writes what was said under a key, but for the frame that -v puts around it.
func (s *summary) flush(key string) {
	for _, line := range s.said[key] {
		frame := strings.HasPrefix(line, "=== ") || line == "PASS\n"
		if !frame {
			s.write(line)
		}
	}
	delete(s.said, key)
}

// unended writes what tests of a package have said that failed without their end: one
// that panicked, or ran out of time.
func (s *summary) unended(pkg string) {
	var keys []string
	for key := range s.said { // any order: sorted below
		if strings.HasPrefix(key, pkg+" ") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		s.flush(key)
	}
}

// place is what go test puts before what a test says.
var place = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// reason is why a test was skipped, of what it has said.
func reason(said []string) string {
	for i, line := range slices.Backward(said) {
		if !place.MatchString(line) {
			continue
		}
		text := place.ReplaceAllString(line, "")
		for _, more := range said[i+1:] { // its other lines are indented further
			if !strings.HasPrefix(more, "        ") {
				break
			}
			text += " " + more
		}
		return strings.TrimPrefix(strings.Join(strings.Fields(text), " "), "skipped: ")
	}
	return "no reason was given"
}

// skips writes the skipped tests, by reason.
func (s *summary) skips() {
	if len(s.reasons) == 0 {
		s.write("no test was skipped\n")
		return
	}
	var all []string
	total := 0
	for why, tests := range s.reasons { // any order: sorted below
		all = append(all, why)
		total += len(tests)
	}
	slices.Sort(all)
	s.write(fmt.Sprintf("%d tests were skipped:\n", total))
	for _, why := range all {
		s.write("  " + why + "\n")
		tests := s.reasons[why]
		slices.Sort(tests)
		for _, name := range tests {
			s.write("    " + name + "\n")
		}
	}
}
