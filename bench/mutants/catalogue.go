package main

import (
	"fmt"
	"slices"
	"strings"
)

// mutant is a planted bug: a small edit of the product, with what is known of it
// before anybody hunts it.
type mutant struct {
	// Name says what it does, in small letters and hyphens.
	Name string `json:"name"`
	// Area is one of areas.
	Area string `json:"area"`
	// Fault is what goes wrong, in a sentence.
	Fault string `json:"fault"`
	// Checker is the expectation that should catch it, or one of promises;
	// empty for a null mutant.
	Checker string `json:"checker,omitempty"`
	// Null marks an edit that changes no behaviour that anybody was promised:
	// it must not be caught.
	Null bool `json:"null,omitempty"`
	// Hints are the scenarios of the library to try first.
	Hints []string `json:"-"`
	Edits []edit   `json:"-"`
}

// edit replaces the only occurrence of Old in File.
type edit struct {
	// File is slash-separated and relative to the root of the tree.
	File     string
	Old, New string
}

// The areas of the product, in the order of the report.
const (
	areaConsensus  = "consensus"
	areaWAL        = "wal"
	areaCheckpoint = "checkpoint"
	areaSnapshot   = "snapshot"
	areaSessions   = "sessions"
	areaKeyspace   = "keyspace"
	areaWatches    = "watches"
	areaTTLs       = "ttls"
	areaMembership = "membership"
	areaReleases   = "releases"
	areaCodec      = "codec"
	areaAPI        = "api"
	areaFleet      = "fleet"
	areaNull       = "null"
)

var areas = []string{
	areaConsensus, areaWAL, areaCheckpoint, areaSnapshot, areaSessions, areaKeyspace,
	areaWatches, areaTTLs, areaMembership, areaReleases, areaCodec, areaAPI, areaFleet, areaNull,
}

// What every run promises without an expectation in the file, as findings name
// it.
const (
	promiseInvariants  = "every node keeps its invariants" // a node that halts or refuses to start is one that noticed
	promiseOnDisk      = "what was applied is on some disk"
	promiseNoPanic     = "no node panics"
	promiseDeterminism = "determinism"
)

var promises = []string{promiseInvariants, promiseOnDisk, promiseNoPanic, promiseDeterminism}

// catalogue lists all mutants, area by area.
func catalogue() []mutant {
	return slices.Concat(
		consensusMutants, readMutants, walMutants, checkpointMutants, snapshotMutants, sessionMutants,
		keyspaceMutants, watchMutants, ttlMutants, membershipMutants, releaseMutants, codecMutants, apiMutants, fleetMutants, nullMutants,
	)
}

// apply returns the files that m changes, in their changed form. Read returns a
// file of the tree.
func (m *mutant) apply(read func(name string) (string, error)) (map[string]string, error) {
	changed := make(map[string]string)
	for _, e := range m.Edits {
		text, ok := changed[e.File]
		if !ok {
			var err error
			if text, err = read(e.File); err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s holds %d times what is to be replaced, want once:\n%s", m.Name, e.File, n, e.Old)
		}
		changed[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return changed, nil
}
