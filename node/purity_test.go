// The purity of the core, as a test: whatever a replica computes must follow
// from its inputs alone, or the simulator proves nothing about production.
package node_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// shell names the packages under node/ that are not core, with the reason.
// Every other one is core by being there, its subpackages too.
var shell = map[string]string{
	"drydock/node/ui":             "talks to a terminal",
	"drydock/node/runtime":        "runs processes",
	"drydock/node/machine":        "hosts an agent: processes, sockets, a clock",
	"drydock/node/checkpoint":     "runs as a job of the disk, where bbolt needs an os.File",
	"drydock/node/host":           "turns the core: clock, files and goroutines around it",
	"drydock/node/daemon":         "assembles the process: sockets, signals, configuration",
	"drydock/node/cmd":            "commands",
	"drydock/node/transport":      "sockets between members",
	"drydock/node/tlsconf":        "reads certificates",
	"drydock/node/front":          "serves HTTP to clients",
	"drydock/node/direct":         "serves HTTP to clients: sockets, epoll",
	"drydock/node/authcheck":      "hashes passwords, which takes long on purpose",
	"drydock/node/labcontrol":     "does to files and clocks what a lab asks",
	"drydock/node/legacy":         "serves HTTP as it was in 2014",
	"drydock/node/fleetapi/serve": "serves HTTP to clients",
	"drydock/node/discovery":      "talks HTTP to a discovery service, and is one",
	"drydock/node/worker":         "proxies HTTP to members",
	"drydock/node/dashboard":      "serves pages to browsers",
	"drydock/node/client":         "talks HTTP to members",
	"drydock/node/etcdctl":        "a command",
	"drydock/node/fleetctl":       "a command",
	"drydock/node/fleetclient":    "talks HTTP to members",
	"drydock/node/archive":        "reads and writes data directories while no node does",
	"drydock/node/firstboot":      "writes files and calls systemd",
}

// coreStd is what of the standard library the core may import; a pattern ending
// in /... covers a tree. All of it computes and none of it acts.
var coreStd = []string{
	"bytes", "cmp", "container/...", "encoding/...", "errors", "fmt", "hash/crc32", "hash/fnv", "io", "io/fs", "iter",
	"maps", "math", "math/big", "math/bits", "mime", "net/url", "path", "slices", "sort", "strconv", "strings",
	"time", "unicode", "unicode/...", "crypto/sha256", "crypto/sha1",
}

// coreThirdParty is the one module that the core stands on, the encoding of its
// messages, which can't be avoided without avoiding raft, a reader of YAML, which turns
// texts into trees, and a hash that is the same everywhere.
var coreThirdParty = []string{
	"github.com/cespare/xxhash/v2", "go.etcd.io/raft/v3/...", "google.golang.org/protobuf/proto", "go.yaml.in/yaml/v4",
}

// TestCoreIsPure checks every package of the core.
func TestCoreIsPure(t *testing.T) {
	var core []*packages.Package
	for _, pkg := range load(t, "./...") {
		if !isShell(pkg.PkgPath) {
			core = append(core, pkg)
		}
	}
	if len(core) < 5 {
		t.Fatalf("found only %d core packages; is the list of the shell right?", len(core))
	}
	for _, pkg := range core {
		for _, f := range append(checkImports(pkg), checkDeterminism(pkg, allRules)...) {
			t.Error(f)
		}
	}
}

// TestSimulatedWorldIsDeterministic checks the packages that decide the course of
// a simulated run: they may act, but not by chance.
func TestSimulatedWorldIsDeterministic(t *testing.T) {
	for _, pkg := range load(t, "drydock/sim/...", "drydock/chaos/...", "drydock/vmlab/wire/fabric") {
		for _, f := range checkDeterminism(pkg, worldRules) {
			t.Error(f)
		}
	}
}

// TestNobodyPrintsRaftMessages holds for the shell and the checkers, too.
func TestNobodyPrintsRaftMessages(t *testing.T) {
	for _, pkg := range load(t, "drydock/...") {
		for _, f := range checkDeterminism(pkg, []rule{ruleProtoText}) {
			t.Error(f)
		}
	}
}

// TestEverySinIsReported runs the rules on sources that break them, one line at
// a time: a line with a "want" comment must be reported as it says, and no other
// line may be.
func TestEverySinIsReported(t *testing.T) {
	for _, dir := range []string{"impure", "pure"} {
		var got []finding
		for _, pkg := range load(t, "./testdata/"+dir) {
			got = append(checkImports(pkg), checkDeterminism(pkg, allRules)...)
		}
		want := wants(t, filepath.Join("testdata", dir))
		if dir == "impure" && len(want) < 40 {
			t.Fatalf("only %d sins are written down", len(want))
		}
		for _, f := range got {
			at := fmt.Sprintf("%s:%d", filepath.Base(f.pos.Filename), f.pos.Line)
			i := slices.IndexFunc(want[at], func(re *regexp.Regexp) bool { return re.MatchString(f.what) })
			if i < 0 {
				t.Errorf("reported, and not wanted: %v", f)
				continue
			}
			want[at] = slices.Delete(want[at], i, i+1)
		}
		for at, left := range want {
			for _, re := range left {
				t.Errorf("%s: wanted and not reported: %v", at, re)
			}
		}
	}
}

// TestEveryRuleHasASin keeps the proof above complete.
func TestEveryRuleHasASin(t *testing.T) {
	var text strings.Builder
	for _, res := range wants(t, filepath.Join("testdata", "impure")) {
		for _, re := range res {
			text.WriteString(re.String() + "\n")
		}
	}
	for rule := range lastRule {
		if !strings.Contains(text.String(), rule.String()) {
			t.Errorf("no line of testdata/impure breaks the rule %q", rule)
		}
	}
}

// TestExcuse: in the simulated world, and only there, a comment with a reason lets
// a range over a map be.
func TestExcuse(t *testing.T) {
	for _, pkg := range load(t, "./testdata/excused") {
		for _, tc := range []struct {
			rules []rule
			lines []int
		}{{allRules, []int{6, 10, 13, 17}}, {worldRules, []int{13, 17}}} {
			var lines []int
			for _, f := range checkDeterminism(pkg, tc.rules) {
				lines = append(lines, f.pos.Line)
			}
			if !slices.Equal(lines, tc.lines) {
				t.Errorf("reported lines %v, want %v", lines, tc.lines)
			}
		}
	}
}

func isShell(path string) bool {
	for dir := path; strings.Contains(dir, "/"); dir = dir[:strings.LastIndex(dir, "/")] {
		if _, ok := shell[dir]; ok {
			return true
		}
	}
	return false
}

// load parses and type-checks packages, without their tests.
func load(t *testing.T, patterns ...string) []*packages.Package {
	t.Helper()
	watchSources(t)
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports |
			packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo,
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range pkgs {
		for _, err := range pkg.Errors {
			t.Errorf("%s: %v", pkg.PkgPath, err)
		}
	}
	return slices.DeleteFunc(pkgs, func(p *packages.Package) bool { return len(p.Syntax) == 0 || len(p.Errors) > 0 })
}

// watchSources reads the directories of the module, for go test's sake: it would
// otherwise answer from its cache after a file was added, because it doesn't see
// what the go command, called by packages.Load, reads.
func watchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "..":
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wants reads the comments of the form `// want "re" "re"`, by "file:line".
func wants(t *testing.T, dir string) map[string][]*regexp.Regexp {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no sources in %s (%v)", dir, err)
	}
	quoted := regexp.MustCompile(`"([^"]*)"`)
	want := make(map[string][]*regexp.Regexp)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			_, comment, ok := strings.Cut(line, "// want ")
			if !ok {
				continue
			}
			at := fmt.Sprintf("%s:%d", filepath.Base(name), i+1)
			for _, m := range quoted.FindAllStringSubmatch(comment, -1) {
				want[at] = append(want[at], regexp.MustCompile(m[1]))
			}
		}
	}
	return want
}
