package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
)

// runTimeout bounds a run by real time; one takes a second or two.
const runTimeout = time.Minute

// batch is one call of `drydock run`: a scenario with the seeds From to To.
type batch struct {
	Scenario string
	From, To uint64
}

// sighting is what a batch came to.
type sighting struct {
	// Runs are the runs that were made, in the order in which they ended.
	Runs []runner.Report
	// Crash is the first line of a panic that took the program with it.
	Crash string
	// CPU is what the batch cost.
	CPU time.Duration
}

// probe runs a batch with a program. An error says that nothing can be learned
// from it.
type probe func(ctx context.Context, program string, b batch) (sighting, error)

// scenarioFile is the path of a scenario of the library below the root.
func scenarioFile(name string) string { return "scenarios/" + name + ".yaml" }

// probeIn returns a probe that runs programs in dir, where the library is.
func probeIn(dir string) probe {
	return func(ctx context.Context, program string, b batch) (sighting, error) {
		limited, cancel := context.WithTimeout(ctx, time.Duration(b.To-b.From+3)*runTimeout)
		defer cancel()
		cmd := command(limited, dir, program, "run", "--json", "--quiet", "--jobs=1",
			"--timeout="+runTimeout.String(), fmt.Sprintf("--seeds=%d-%d", b.From, b.To), scenarioFile(b.Scenario))
		// One thread, as the workers of `run` have, so that CPU time compares.
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=300")
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		err := cmd.Run()
		s := sighting{CPU: used(cmd)}
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		if limited.Err() != nil {
			// It neither ended nor obeyed its own bound.
			s.Runs = []runner.Report{{Scenario: b.Scenario, Seed: b.From, Verdict: checker.Unknown, Error: "it came to no end"}}
			return s, nil
		}
		if s.Crash = crashOf(complaint.String()); s.Crash != "" {
			return s, nil
		}
		if s.Runs, err = readReports(out.Bytes(), err); err != nil {
			return s, fmt.Errorf("%s, seeds %d-%d: %w: %s", b.Scenario, b.From, b.To, err, strings.TrimSpace(complaint.String()))
		}
		return s, nil
	}
}

// readReports reads the JSON lines of a call that ended with err.
func readReports(out []byte, err error) ([]runner.Report, error) {
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 2) {
		return nil, err
	}
	var list []runner.Report
	for line := range bytes.Lines(out) {
		var r runner.Report
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("output %q: %w", line, err)
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, errors.New("no report")
	}
	return list, nil
}

// crashOf finds the first line of what Go says when a program dies.
func crashOf(complaint string) string {
	for line := range strings.Lines(complaint) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
