package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
)

// The elements of JUnit's XML that readers of it agree on.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
		took     time.Duration
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes runs as JUnit's XML: a suite for each scenario, a case for each
// seed. A violation is a failure; unknown, and a world that failed, are errors,
// for neither may pass for held.
func JUnit(w io.Writer, reports []*runner.Report) error {
	all := junitSuites{Name: "drydock"}
	place := map[string]int{}
	var took time.Duration
	for _, r := range reports {
		i, ok := place[r.File]
		if !ok {
			i = len(all.Suites)
			place[r.File] = i
			all.Suites = append(all.Suites, junitSuite{Name: r.Scenario})
		}
		s := &all.Suites[i]
		c := junitCase{Class: "drydock." + r.Scenario, Name: fmt.Sprintf("seed %d", r.Seed), File: r.File, Time: took3(r.Took)}
		c.Failure, c.Error = problems(r)
		s.Cases = append(s.Cases, c)
		s.Tests++
		all.Tests++
		if c.Failure != nil {
			s.Failures++
			all.Failures++
		}
		if c.Error != nil {
			s.Errors++
			all.Errors++
		}
		s.took += r.Took
		took += r.Took
	}
	for i := range all.Suites {
		all.Suites[i].Time = took3(all.Suites[i].took)
	}
	all.Time = took3(took)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func took3(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// problems says why a run is not held.
func problems(r *runner.Report) (failure, failed *junitProblem) {
	if r.Verdict == checker.Held {
		return nil, nil
	}
	p := &junitProblem{Message: headline(r), Type: string(r.Verdict), Text: evidence(r)}
	switch {
	case r.Failed():
		p.Type = "world"
		return nil, p
	case r.Verdict == checker.Violated:
		return p, nil
	}
	return nil, p
}

// headline is what is wrong with a run, in a line.
func headline(r *runner.Report) string {
	f := r.Worst()
	switch {
	case r.Failed():
		return fmt.Sprintf("the world %s failed: %s", r.World, r.Error)
	case f == nil:
		return string(r.Verdict)
	}
	return f.Expect + ": " + f.Measured
}

// evidence is what a person needs of a run, as text: every expectation that
// does not hold, the smallest history, the command.
func evidence(r *runner.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Status == checker.Held {
			continue
		}
		fmt.Fprintf(&b, "%s   %s   %s\n", f.Status, f.Expect, f.Measured)
	}
	if f := r.Worst(); f != nil && f.Violation != nil {
		// A builder takes everything.
		_ = checker.Render(&b, checker.Verdict{Status: f.Status, Check: f.Expect, Ops: r.Operations, Violation: f.Violation})
	}
	fmt.Fprintf(&b, "replay   %s\n", bySeed(r))
	return b.String()
}
