package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
)

// interrupted is the error of a run that the caller ended.
const interrupted = "interrupted"

// Bounds on the talk with worker processes.
const (
	maxLineBytes = 64 << 20
	stderrBytes  = 64 << 10
)

// task is one line to a worker process: run this scenario with this seed.
type task struct {
	World string `json:"world"`
	File  string `json:"file"`
	Text  []byte `json:"text"`
	Seed  uint64 `json:"seed"`
	// Profile is the text of the scenario's, ProfileFile its name; empty: none.
	Profile     []byte `json:"profile,omitempty"`
	ProfileFile string `json:"profileFile,omitempty"`
	// Record is where a violation is to be recorded; empty: nowhere.
	Record string `json:"record,omitempty"`

	// scenario is the parsed text, place the run's in the tally, round the place
	// of its seed among the batch's.
	scenario *scenario.Scenario
	place    int
	round    int
	// twice says that it is to be made a second time, repeat that it is that
	// second time, and avoid, if more than zero, which slot should leave it to
	// another.
	twice  bool
	repeat bool
	avoid  int
}

// Worker answers tasks from in with reports on out, one JSON object a line,
// until in ends. It is the main loop of a worker process.
func Worker(ctx context.Context, in io.Reader, out io.Writer, worlds []World) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var t task
		if err := dec.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("runner: worker can't read its task: %w", err)
		}
		w, err := FindWorld(worlds, t.World, "")
		if err != nil {
			return err
		}
		s, err := t.parse()
		if err != nil {
			return err
		}
		spec := Spec{Scenario: s, Seed: t.Seed, Quiet: true}
		r := Run(ctx, w, spec)
		if t.Record != "" && r.Verdict == checker.Violated {
			r = keepAgain(ctx, w, spec, r, t.Record)
		}
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("runner: worker can't answer: %w", err)
		}
	}
}

// newTask makes the task to run a scenario with a seed.
func newTask(world string, s *scenario.Scenario, seed uint64) task {
	t := task{World: world, File: s.File, Text: s.Text, Seed: seed, scenario: s}
	if s.Profile != nil {
		t.Profile, t.ProfileFile = s.Profile.Text, s.Profile.File
	}
	return t
}

// parse reads the task's scenario, with its profile.
func (t *task) parse() (*scenario.Scenario, error) {
	s, err := scenario.Parse(t.File, t.Text)
	if err != nil || t.ProfileFile == "" {
		return s, err
	}
	s.Profile, err = scenario.ParseProfile(t.ProfileFile, t.Profile)
	return s, err
}

// keepAgain records a violated run. It runs once more for that, with a tape: so
// those that hold don't pay for one, and a run that isn't the same twice shows.
func keepAgain(ctx context.Context, w World, spec Spec, r *Report, dir string) *Report {
	spec.Tape = true
	again := r.Rerun(ctx, w, spec, nil)
	if again.Verdict != checker.Violated {
		return r
	}
	again.Timeline = nil
	// Without a recording the run can still be repeated by its seed, and the
	// parent tries again to record that much.
	_ = Keep(dir, spec.Scenario, again)
	return again
}

// ErrWorld is matched by the errors of FindWorld.
var ErrWorld = errors.New("no such world")

// FindWorld returns the world of that name, made by a driver; "" is the usual one.
func FindWorld(worlds []World, name, driver string) (World, error) {
	var names []string
	for _, w := range worlds {
		if w.Name() == name {
			return by(w, driver)
		}
		names = append(names, w.Name())
	}
	return nil, fmt.Errorf("%w: no world is called %q; there are: %s", ErrWorld, name, strings.Join(names, ", "))
}

// by is a world made by a driver.
func by(w World, driver string) (World, error) {
	d, ok := w.(Driven)
	switch {
	case driver == "":
		return w, nil
	case !ok:
		return nil, fmt.Errorf("%w: the world %s is made by no driver: --driver is for labs", ErrWorld, w.Name())
	case !slices.Contains(d.Drivers(), driver):
		return nil, fmt.Errorf("%w: the world %s has no driver %q; there are: %s", ErrWorld, w.Name(), driver, strings.Join(d.Drivers(), ", "))
	}
	return d.By(driver)
}

// proc is a worker process.
type proc struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *head
}

// startProc starts a worker. One core each, so that as many as there are cores
// don't fight for them; memory goes to speed within a bound.
func startProc(command []string) (*proc, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append([]string{"GOMAXPROCS=1", "GOGC=300", "GOMEMLIMIT=2GiB"}, os.Environ()...)
	p := &proc{cmd: cmd, stderr: &head{limit: stderrBytes}}
	cmd.Stderr = p.stderr
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p.out = bufio.NewReaderSize(out, 1<<16)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return p, nil
}

// stop ends a worker: kindly by closing its input, or at once.
func (p *proc) stop(kill bool) {
	_ = p.in.Close()
	if kill {
		_ = p.cmd.Process.Kill()
	}
	_ = p.cmd.Wait()
}

// run has the worker do one task. A worker that doesn't answer is dead
// afterwards: alive is false, and the report says what became of it.
func (p *proc) run(parent context.Context, t task, limit time.Duration) (r *Report, alive bool) {
	r = &Report{
		Scenario: t.scenario.Name, File: t.File, World: t.World, Seed: t.Seed, Verdict: checker.Unknown,
		Replay: fmt.Sprintf("drydock run %s--seed %d %s", t.scenario.Profile.Flag(), t.Seed, t.File),
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	unwatch := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer unwatch()
	line, err := p.ask(t)
	if err == nil {
		answer := new(Report)
		if err = json.Unmarshal(line, answer); err == nil {
			return answer, true
		}
	}
	_ = p.in.Close()
	waited := p.cmd.Wait()
	switch text := p.stderr.String(); {
	case parent.Err() != nil:
		r.Error = interrupted
	case ctx.Err() != nil:
		r.Error = fmt.Sprintf("no end after %s", limit)
	case strings.Contains(text, "out of memory"):
		r.Error = "out of memory"
	case panicOf(text) != "":
		r.panicked(panicOf(text), after(text, panicOf(text)))
	default:
		r.Error = fmt.Sprintf("the worker died (%v): %s", errors.Join(waited, err), lastLine(text))
	}
	return r, false
}

// ask writes a task and reads the line that answers it.
func (p *proc) ask(t task) ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		return nil, err
	}
	var line []byte
	for {
		part, err := p.out.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLineBytes {
			return nil, fmt.Errorf("an answer of more than %d bytes", maxLineBytes)
		}
		if err == nil {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// panicOf finds the first line of a Go panic.
func panicOf(stderr string) string {
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func after(text, line string) string {
	_, rest, _ := strings.Cut(text, line)
	return strings.TrimSpace(rest)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// head keeps the first bytes written to it, where a panic says why.
type head struct {
	b     bytes.Buffer
	limit int
}

// Write implements io.Writer; it never fails.
func (t *head) Write(p []byte) (int, error) {
	if room := t.limit - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String returns what was kept.
func (t *head) String() string { return t.b.String() }
