package main_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestHouseRejects shows each file rule a file that breaks it, and that it holds
// its peace about one that doesn't.
func TestHouseRejects(t *testing.T) {
	const todo = "TO" + "DO"
	long := strings.Repeat("\t_ = 0\n", 200)
	for _, tc := range []struct {
		rule, path, text string
		want             string // part of the one problem; empty for none
	}{
		{"length", "node/a.go", "package a\n" + strings.Repeat("\n", 500), "1: 501 lines, at most 500"},
		{"length", "node/a.go", "package a\n" + strings.Repeat("\n", 499), ""},
		{"length", "node/a_test.go", "package a\n" + strings.Repeat("\n", 600), ""},
		{"length", "node/a_test.go", "package a\n" + strings.Repeat("\n", 700), "at most 700"},
		{"functions", "node/a.go", "package a\nfunc f() {\n" + long + "}\n", "2: node f has 202 lines, at most 70"},
		{"functions", "node/a.go", "package a\nfunc (t *T[K]) f() {\n" + long + "}\n", "node T.f has 202"},
		{"functions", "node/a.go", "package a\nfunc f() {\n" + long[:68*7] + "}\n", ""},
		{"functions", "node/a_test.go", "package a\nfunc f() {\n" + long + "}\n", "at most 120"},
		{"unfinished", "node/a.go", "package a\n// " + todo + ": later\n", "2: " + todo},
		{"unfinished", "a.md", "FIX" + "ME\n", "1: FIX"},
		{"unfinished", "node/a.go", "package a\n// " + todo + " https://example.org/1\n", ""},
		{"unfinished", "node/a.go", "package a\n// context." + todo + "s\n", ""},
		{"machine", "a.yaml", "x: 1\ndir: /" + "root/x\n", "2: "},
		{"machine", "a.md", "see (/" + "home/jo/x)\n", "1: "},
		{"machine", "a.md", "https://example.org/" + "home/jo/x, /etc/x, ./wo" + "rk/x\n", ""},
		{"sleep", "node/a_test.go", "package a\nimport \"time\"\nvar x = func() { time.Sleep(1) }\n", "3: sleeps"},
		{"sleep", "node/a_test.go", "package a\nimport t \"time\"\nvar x = t.Sleep\n", "3: sleeps"},
		{"sleep", "node/a_test.go", "package a\nvar x = func() { time.Sleep(1) }\n", ""},
		{"exit", "node/a.go", "package a\nimport \"os\"\nfunc f() { os.Exit(1) }\n", "3: exits"},
		{"exit", "node/a.go", "package a\nimport \"log\"\nfunc f() { log.Fatalf(``) }\n", "3: exits"},
		{"exit", "main.go", "package main\nimport \"os\"\nfunc f() { os.Exit(1) }\n", ""},
		{"exit", "bench/x/main.go", "package main\nimport \"os\"\nfunc f() { os.Exit(1) }\n", ""},
		{"exit", "bench/x/run.go", "package main\nimport \"os\"\nfunc f() { os.Exit(1) }\n", "3: exits"},
		{"exit", "node/main.go", "package node\nimport \"os\"\nfunc f() { os.Exit(1) }\n", "3: exits"},
		{"layers", "node/a.go", "package a\nimport \"drydock/sim\"\n", "2: drydock/node imports drydock/sim"},
		{"layers", "chaos/a_test.go", "package a\nimport \"drydock/sim/x\"\n", "drydock/chaos imports drydock/sim/x"},
		{"layers", "bench/a.go", "package a\nimport \"drydock/vmlab\"\n", "drydock/bench imports drydock/vmlab"},
		{"layers", "scenarios/x/a.go", "package a\nimport \"drydock\"\n", "drydock/scenarios/x imports drydock"},
		{"layers", "lib/a.go", "package a\n", "folder \"lib\" has no place"},
		{"layers", "sim/a.go", "package a\nimport (\n\"drydock/node\"\n\"drydock/chaos\"\n\"drydock/sim/x\"\n\"os\"\n)\n", ""},
		{"layers", "main.go", "package a\nimport (\n\"drydock/node\"\n\"drydock/bench/x\"\n)\n", ""},
		{"groups", "node/a.go", "package a\nimport (\n\"os\"\n\"a.org/x\"\n)\n", "4: a.org/x"},
		{"groups", "node/a.go", "package a\nimport (\n\"drydock/node\"\n\n\"a.org/x\"\n)\n", "5: a.org/x"},
		{"groups", "node/a.go", "package a\nimport (\n\"os\"\n\n\"a.org/x\"\n\n\"drydock/node\"\n)\n", ""},
		{"exported", "node/a.go", "package a\nfunc F() {}\n", "2: F is exported"},
		{"exported", "node/a.go", "package a\n\n// T is.\ntype T int\nfunc (t *T) M() {}\n", "5: T.M is exported"},
		{"exported", "node/a.go", "package a\ntype T int\n", "2: T is exported"},
		{"exported", "node/a.go", "package a\n\n// T is.\ntype T int\nfunc (T) Error() string { return `` }\n", ""},
		{"exported", "node/a.go", "package a\ntype t int\nfunc (t) M() {}\nfunc f() {}\n", ""},
		{"exported", "node/a_test.go", "package a\nfunc F() {}\n", ""},
		{"white space", "a.md", "x", "1: no newline"},
		{"white space", "a.md", "x\r\ny\r\n", "carriage returns"},
		{"white space", "a.md", "x\n", ""},
	} {
		src, err := parse(tc.path, tc.text)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, tc.rule+" on "+tc.text[:min(len(tc.text), 80)], fileRules[tc.rule](src), tc.want)
	}
}

// TestEveryFileRuleIsShownToReject keeps the table above complete.
func TestEveryFileRuleIsShownToReject(t *testing.T) {
	clean, err := parse("node/a.go", "// Package a is.\npackage a\n")
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "house_rules_test.go")
	for _, name := range slices.Sorted(maps.Keys(fileRules)) {
		if !strings.Contains(text, "{\""+name+"\", ") {
			t.Errorf("rule %q has no case in TestHouseRejects", name)
		}
		expect(t, name, fileRules[name](clean), "")
	}
}

func TestPackageCommentsRejects(t *testing.T) {
	for _, tc := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"a/a.go": "package a\n"}, "a: 0 package comments"},
		{map[string]string{"a/a.go": "// Package a is.\npackage a\n", "a/b.go": "// Package a is.\npackage a\n"}, "a: 2 package comments"},
		{map[string]string{"a/a.go": "// This is a.\npackage a\n"}, "must begin with"},
		{map[string]string{"main.go": "// Package main is.\npackage main\n"}, "must begin with \"Command \""},
		{map[string]string{"a/a.go": "// Package a is.\n" + strings.Repeat("// More.\n", 20) + "package a\n"}, "belongs in doc.go"},
		{map[string]string{"a/doc.go": "// Package a is.\n" + strings.Repeat("// More.\n", 20) + "package a\n"}, ""},
		{map[string]string{"a/a_test.go": "package a\n"}, ""},
	} {
		expect(t, "package comments", checkPackageComments(parseAll(t, tc.files)), tc.want)
	}
}

func TestCheckersRejects(t *testing.T) {
	const checker, history = "drydock/scenarios/checker/linear", "drydock/sim/history"
	for _, tc := range []struct {
		graph map[string][]string
		want  string
	}{
		{map[string][]string{checker: {history, "fmt"}, history: {"time"}, "drydock/sim": {"drydock/node"}}, ""},
		{map[string][]string{checker: {"drydock/node"}}, checker + " > drydock/node"},
		{map[string][]string{checker: {history}, history: {checker, "drydock/node/keys"}}, history + " > drydock/node/keys"},
	} {
		expect(t, "checkers", checkCheckers(tc.graph), tc.want)
	}
}

func TestModulesRejects(t *testing.T) {
	sources := parseAll(t, map[string]string{"node/a.go": "package a\nimport \"a.org/x/v2/y\"\n"})
	for _, tc := range []struct{ gomod, architecture, want string }{
		{"require a.org/x/v2 v2.0.1\n", "We use a.org/x/v2.", ""},
		{"require (\n\ta.org/x/v2 v2.0.1\n\tb.org v1.0.0 // indirect\n)\n", "We use a.org/x/v2.", ""},
		{"require (\n\ta.org/x/v2 v2.0.1 // indirect\n)\n", "We use a.org/x/v2.", "a.org/x/v2 is marked indirect"},
		{"require a.org/x/v2 v2.0.1\n", "", "does not say why there is a.org/x/v2"},
		{"require a.org/x/v2 v2.0.1\n", "| `a.org/x/v2` | x |\n| `b.org/y` | y |\n", "explains b.org/y"},
		{"require a.org/x/v2 v2.0.1\nreplace a.org/x/v2 => ../x\n", "We use a.org/x/v2.", "go.mod:2: replace"},
	} {
		expect(t, tc.gomod, checkModules(sources, tc.gomod, tc.architecture), tc.want)
	}
}

func TestMakeTargetsRejects(t *testing.T) {
	const makefile = "test: lint\n\tgo test\nlint:\n"
	for text, want := range map[string]string{
		"Run `make test`, then make peace.": "",
		"$ make lint":                       "",
		"make demo\n":                       "no target demo",
		"Run `make tes`.":                   "no target tes",
	} {
		expect(t, text, checkMakeTargets("README.md", text, makefile), want)
	}
}

func TestJourneyRejects(t *testing.T) {
	sources := parseAll(t, map[string]string{
		"node/a.go": "package a\nfunc F() {}\nfunc (*T) m() {}\n", "sim/b.go": "package b\nfunc F() {}\n",
	})
	way := strings.Repeat("a.F  first\n → T.m  second\n → a.T.m  third\n", 4)
	expect(t, "journey", checkJourney(sources, way), "")
	expect(t, "journey", checkJourney(sources, way+" → T.gone  fourth\n"), "through T.gone")
	expect(t, "journey", checkJourney(sources, way+"b.F  elsewhere\n"), "through b.F")
	expect(t, "journey", checkJourney(sources, "a.F  alone\n"), "only 1 steps")
}

// TestAllowListRejects: an exception for a function that isn't there must go.
func TestAllowListRejects(t *testing.T) {
	const key = "node gone"
	longFuncs[key] = "a reason"
	defer delete(longFuncs, key)
	expect(t, "allow list", checkAllowList(parseAll(t, map[string]string{"node/a.go": "package a\n"})), key)
}

func parseAll(t *testing.T, files map[string]string) (sources []source) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		src, err := parse(name, files[name])
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, src)
	}
	return sources
}

// expect wants one problem with the given part, or none.
func expect(t *testing.T, what string, problems []string, part string) {
	t.Helper()
	switch {
	case part == "" && len(problems) > 0:
		t.Errorf("%s: %q, want no problem", what, problems)
	case part != "" && (len(problems) != 1 || !strings.Contains(problems[0], part)):
		t.Errorf("%s: %q, want one problem with %q", what, problems, part)
	}
}
