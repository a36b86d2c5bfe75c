package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"drydock/bench/consensus"
	"drydock/bench/fleetload"
	"drydock/bench/floor"
	"drydock/bench/kv"
	"drydock/bench/scheduler"
	"drydock/bench/simspeed"
)

// Schema is the version of the file's form. It grows when a field changes its meaning
// or goes; fields that are added leave it as it is.
const Schema = 1

// ErrFile says that a file isn't one of this package's.
var ErrFile = errors.New("report: not a file of the benchmarks' results")

// File is what a run came to. Kinds of benchmarks that were not run are absent.
type File struct {
	// Schema is the form's version.
	Schema int `json:"schema"`
	// Product is the build that was measured, as `drydock version` says it.
	Product string `json:"product"`
	// Began and Ended are when the run did.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Quick says that it was a minute's look.
	Quick bool `json:"quick,omitempty"`
	// Broken is why a kind has not all that was asked for, by its name; the text says
	// interrupted if somebody ended the run.
	Broken map[string]string `json:"broken,omitempty"`
	// Machine is where it was.
	Machine Machine `json:"machine"`
	// Floor is what that machine can do.
	Floor *floor.Floor `json:"floor,omitempty"`

	KV        *KV        `json:"kv,omitempty"`
	Consensus *Consensus `json:"consensus,omitempty"`
	Scheduler *Scheduler `json:"scheduler,omitempty"`
	Sim       *Sim       `json:"sim,omitempty"`
	// Comparison is what changed since an older file, if that was asked for.
	Comparison *Comparison `json:"comparison,omitempty"`
}

// Flags are the settings of one kind.
type Flags struct {
	// Settings change what figures are: those of two runs compare only where these
	// are the same.
	Settings map[string]string `json:"settings"`
	// Selection says which figures there are, and how many rounds of each.
	Selection map[string]string `json:"selection"`
}

// KV is what bench kv came to.
type KV struct {
	Flags
	Report *kv.Report `json:"report"`
}

// Consensus is what bench consensus came to.
type Consensus struct {
	Flags
	Rows      []consensus.Row       `json:"rows"`
	Failovers []consensus.Failovers `json:"failovers,omitempty"`
}

// Scheduler is what bench scheduler came to.
type Scheduler struct {
	Flags
	Rows    []scheduler.Row    `json:"rows"`
	Growths []scheduler.Growth `json:"growths,omitempty"`
	Replays []scheduler.Replay `json:"replays,omitempty"`
	// Durable is the part through three members.
	Durable *fleetload.Result `json:"durable,omitempty"`
}

// Sim is what bench sim came to.
type Sim struct {
	Flags
	Rows []simspeed.Row `json:"rows"`
}

// Kinds of benchmarks, in the order in which they are run.
const (
	KindKV        = "kv"
	KindConsensus = "consensus"
	KindScheduler = "scheduler"
	KindSim       = "sim"
)

// Kinds are all of them.
var Kinds = []string{KindKV, KindConsensus, KindScheduler, KindSim}

// Break notes why a kind has not all that was asked for.
func (f *File) Break(kind, why string) {
	if f.Broken == nil {
		f.Broken = make(map[string]string)
	}
	f.Broken[kind] = why
}

// flags returns the settings of each kind that the file has.
func (f *File) flags() map[string]Flags {
	found := make(map[string]Flags)
	if f.KV != nil {
		found[KindKV] = f.KV.Flags
	}
	if f.Consensus != nil {
		found[KindConsensus] = f.Consensus.Flags
	}
	if f.Scheduler != nil {
		found[KindScheduler] = f.Scheduler.Flags
	}
	if f.Sim != nil {
		found[KindSim] = f.Sim.Flags
	}
	return found
}

// Has lists the kinds that the file has.
func (f *File) Has() []string {
	found := f.flags()
	return slices.DeleteFunc(slices.Clone(Kinds), func(kind string) bool { _, has := found[kind]; return !has })
}

// Encode writes the file.
func (f *File) Encode(w io.Writer) error {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// maxFile bounds what is read, in bytes: all rounds of a whole run are a few megabytes.
const maxFile = 256 << 20

// Decode reads a file that Encode wrote.
func Decode(r io.Reader) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrFile, maxFile)
	}
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	switch {
	case head.Schema == nil:
		return nil, fmt.Errorf("%w: it has no schema; one is made by `drydock bench all -o FILE`", ErrFile)
	case *head.Schema != Schema:
		return nil, fmt.Errorf("%w: its schema is %d, and this program knows %d", ErrFile, *head.Schema, Schema)
	}
	f := &File{}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if f.KV != nil && (f.KV.Report == nil || len(f.KV.Report.Systems) == 0) {
		return nil, fmt.Errorf("%w: kv has no report, or one of no system", ErrFile)
	}
	return f, nil
}
