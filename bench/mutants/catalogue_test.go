package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drydock/scenarios"
	"drydock/scenarios/scenario"
)

// root is the tree that the catalogue is about.
const root = "../.."

func readRoot(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	return string(text), err
}

// TestCatalogueFitsTheTree: every edit finds its place exactly once, changes it,
// and leaves a file that parses.
func TestCatalogueFitsTheTree(t *testing.T) {
	for _, m := range catalogue() {
		changed, err := m.apply(readRoot)
		if err != nil {
			t.Error(err)
			continue
		}
		for name, text := range changed {
			if was, _ := readRoot(name); was == text {
				t.Errorf("mutant %s leaves %s as it is", m.Name, name)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("mutant %s: %v", m.Name, err)
			}
		}
	}
}

// expectations are the words of scenario files that a checker stands behind.
var expectations = []string{
	scenario.ExpectLinearizable, scenario.ExpectAcked, scenario.ExpectOneLeader, scenario.ExpectDigests,
	scenario.ExpectLogs, scenario.ExpectLive, scenario.ExpectLeader, scenario.ExpectMembership,
	scenario.ExpectIndexes, scenario.ExpectQuorums, scenario.ExpectWatches, scenario.ExpectLifetimes,
	scenario.ExpectLocks, scenario.ExpectBounded, scenario.ExpectRot, scenario.ExpectOutage,
	scenario.ExpectReleases, scenario.ExpectUpgraded,
	scenario.ExpectOnce, scenario.ExpectApart, scenario.ExpectPlaced, scenario.ExpectCapacity, scenario.ExpectCauses,
	scenario.ExpectRunning, scenario.ExpectUp, scenario.ExpectStates, scenario.ExpectHeard, scenario.ExpectRest,
}

func TestCatalogueIsSane(t *testing.T) {
	var names []string
	nulls, ofArea := 0, make(map[string]int)
	for _, m := range catalogue() {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`).MatchString(m.Name) || slices.Contains(names, m.Name) {
			t.Errorf("mutant %q: want a name of its own in small letters and hyphens", m.Name)
		}
		names = append(names, m.Name)
		ofArea[m.Area]++
		if len(m.Edits) == 0 || m.Fault == "" || strings.HasSuffix(m.Fault, ".") {
			t.Errorf("mutant %s: want an edit and a fault in words, without a full stop", m.Name)
		}
		if m.Null != (m.Area == areaNull) || m.Null != (m.Checker == "") {
			t.Errorf("mutant %s: a null mutant, and no other, is of area %s and has no checker", m.Name, areaNull)
		}
		if !m.Null && !slices.Contains(promises, m.Checker) && !slices.Contains(expectations, m.Checker) {
			t.Errorf("mutant %s: nothing is called %q", m.Name, m.Checker)
		}
		for _, hint := range m.Hints {
			if !slices.Contains(scenarios.Names(), hint) {
				t.Errorf("mutant %s: the library has no %q", m.Name, hint)
			}
		}
		for _, e := range m.Edits {
			if !strings.HasPrefix(e.File, "node/") || strings.HasSuffix(e.File, "_test.go") {
				t.Errorf("mutant %s edits %s, which is not the product's", m.Name, e.File)
			}
		}
		if m.Null {
			nulls++
		}
	}
	if len(names)-nulls < 40 || nulls < 3 {
		t.Errorf("%d mutants and %d null ones, want 40 and 3", len(names)-nulls, nulls)
	}
	for _, area := range areas {
		if ofArea[area] < 3 {
			t.Errorf("area %s has %d mutants, want 3", area, ofArea[area])
		}
	}
	if len(ofArea) != len(areas) {
		t.Errorf("areas of mutants: %v, want %v", ofArea, areas)
	}
}

func TestApplyRejects(t *testing.T) {
	for want, e := range map[string]edit{
		"holds 0 times": {"a.go", "gone", "x"},
		"holds 2 times": {"a.go", "twice", "x"},
		"no such":       {"b.go", "once", "x"},
	} {
		m := mutant{Name: "m", Edits: []edit{e}}
		_, err := m.apply(func(name string) (string, error) {
			if name != "a.go" {
				return "", os.ErrNotExist
			}
			return "once twice twice", nil
		})
		if want == "no such" {
			want = os.ErrNotExist.Error()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", e, err, want)
		}
	}
}
