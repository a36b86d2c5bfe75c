package runner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/sim/tape"
)

// The files of a recording.
const (
	runFile      = "run.json"
	scenarioFile = "scenario.yaml"
	profileFile  = "profile.yaml"
	tapeFile     = "trace.gz"
	historyFile  = "history.jsonl"
)

// recordingVersion is the version of run.json's format.
const recordingVersion = 1

// maxRunFile bounds what is read of a run.json.
const maxRunFile = 64 << 20

// ErrNoRecording is what the errors of Open and Find match when there is none.
var ErrNoRecording = errors.New("no recording")

// Recording is a failing run as it is kept: all that is needed to repeat it, to
// tell whether it was repeated, and to see what had failed.
type Recording struct {
	Version int   `json:"drydock-recording"`
	Build   Build `json:"build"`
	// Report is the run's, Strikes the faults that took effect, in words.
	Report  *Report  `json:"report"`
	Strikes []string `json:"strikes,omitempty"`

	// Dir is where it is, Scenario what ran, Tape the record of its trace; that
	// is nil if the run had died.
	Dir      string             `json:"-"`
	Scenario *scenario.Scenario `json:"-"`
	Tape     *tape.Tape         `json:"-"`
}

// Build tells programs apart.
type Build struct {
	// Drydock is the commit or version, Go the toolchain, System the platform.
	Drydock string `json:"drydock"`
	Go      string `json:"go"`
	System  string `json:"system"`
	// Program is the beginning of the program's hash: only the same program
	// must repeat a trace.
	Program string `json:"program"`
}

// ThisBuild says which program this is.
func ThisBuild() Build {
	b := Build{Drydock: "unknown", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Program: programHash()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Drydock = info.Main.Version
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if commit != "" {
		b.Drydock = commit + dirty
	}
	return b
}

// programHash hashes this program's file; it is empty where that can't be read.
func programHash() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Keep records a violated run below dir, as NAME@SEED, and has the report name
// the recording. One of the same name is replaced.
func Keep(dir string, s *scenario.Scenario, r *Report) error {
	if r.Verdict != checker.Violated {
		panic(fmt.Sprintf("runner: a run that is %s is recorded as a failure", r.Verdict))
	}
	into := filepath.Join(dir, fmt.Sprintf("%s@%d", s.Name, r.Seed))
	kept := *r
	kept.Replay = fmt.Sprintf("drydock replay %s@%d", s.Name, r.Seed)
	if filepath.Clean(filepath.Dir(dir)) != filepath.Clean(RunsDir) {
		kept.Replay = "drydock replay " + into
	}
	kept.Recording = into
	rec := Recording{Version: recordingVersion, Build: ThisBuild(), Report: &kept}
	if r.result != nil {
		rec.Tape = r.result.Tape
		for _, k := range r.result.Strikes {
			rec.Strikes = append(rec.Strikes, fmt.Sprintf("%s %s", seconds3(k.At), k.Fault.Text))
		}
	}
	if err := rec.write(into, s, r.ops); err != nil {
		return fmt.Errorf("record %s: %w", into, err)
	}
	r.Replay, r.Recording = kept.Replay, into
	return nil
}

// Smaller is the command that shrinks a recorded run.
func (r *Report) Smaller() string {
	return strings.Replace(r.Replay, "drydock replay", "drydock shrink", 1)
}

// write writes the files; run.json, by which a recording is known, comes last.
func (rec *Recording) write(into string, s *scenario.Scenario, ops []history.Op) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if rec.Tape != nil {
		if err := tape.Encode(&b, rec.Tape); err != nil {
			return err
		}
	}
	var h bytes.Buffer
	if err := history.Encode(&h, history.Header{Scenario: s.Name, Seed: fmt.Sprint(rec.Report.Seed)}, ops); err != nil {
		return err
	}
	type file struct {
		name string
		text []byte
	}
	files := []file{{scenarioFile, s.Text}, {tapeFile, b.Bytes()}, {historyFile, h.Bytes()}}
	if s.Profile != nil {
		files = append(files, file{profileFile, s.Profile.Text})
	}
	for _, file := range append(files, file{runFile, append(text, '\n')}) {
		if err := os.WriteFile(filepath.Join(into, file.name), file.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Open reads the recording in a directory.
func Open(dir string) (*Recording, error) {
	f, err := os.Open(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrNoRecording, dir, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxRunFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	rec := &Recording{Dir: dir}
	if err := json.Unmarshal(text, rec); err != nil {
		return nil, fmt.Errorf("%w in %s: %s: %w", ErrNoRecording, dir, runFile, err)
	}
	if rec.Version != recordingVersion || rec.Report == nil {
		return nil, fmt.Errorf("%w in %s: its format is %d, this program reads %d", ErrNoRecording, dir, rec.Version, recordingVersion)
	}
	if err := rec.readScenario(); err != nil {
		return nil, err
	}
	return rec, rec.readTape()
}

func (rec *Recording) readScenario() error {
	name := filepath.Join(rec.Dir, scenarioFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%w in %s: %w", ErrNoRecording, rec.Dir, err)
	}
	if rec.Scenario, err = scenario.Parse(name, text); err != nil {
		return err
	}
	name = filepath.Join(rec.Dir, profileFile)
	if text, err = os.ReadFile(name); errors.Is(err, os.ErrNotExist) {
		return nil // it ran without one
	} else if err == nil {
		rec.Scenario.Profile, err = scenario.ParseProfile(name, text)
	}
	return err
}

func (rec *Recording) readTape() error {
	f, err := os.Open(filepath.Join(rec.Dir, tapeFile))
	if err != nil {
		return nil // it is an extra: without it, hashes alone are compared
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return nil
	}
	if rec.Tape, err = tape.Decode(f); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(rec.Dir, tapeFile), err)
	}
	return nil
}
