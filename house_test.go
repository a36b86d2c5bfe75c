// The house rules as tests: each rule is a function from sources to problems, so
// that it can be shown to reject what it should. The rules for the core, which
// need types, are in node/purity_test.go.
package main_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Limits of the house style.
const (
	maxFileLines     = 500
	maxTestFileLines = 700
	maxFuncLines     = 70
	maxTestFuncLines = 120
	maxDocLines      = 15 // longer package comments have a file of their own
)

// longFuncs may be longer than maxFuncLines, each for its reason. The key is the
// directory and the function or Type.Method.
var longFuncs = map[string]string{}

// layers gives each top-level folder its height: a package imports its own
// folder and lower ones. Folders of one height don't know each other.
var layers = map[string]int{"node": 0, "chaos": 1, "sim": 2, "scenarios": 3, "bench": 4, "vmlab": 4, "": 5}

// source is a file of the tree. file is nil if it isn't Go, or is a test's data.
type source struct {
	path string // slash-separated, relative to the root
	text string
	file *ast.File
	fset *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

// fileRules look at one file each and return their problems as "line: what".
var fileRules = map[string]func(source) []string{
	"length":      checkLength,
	"functions":   checkFunctions,
	"unfinished":  checkUnfinished,
	"machine":     checkMachinePaths,
	"sleep":       checkSleep,
	"exit":        checkExit,
	"layers":      checkLayers,
	"groups":      checkImportGroups,
	"exported":    checkExported,
	"white space": checkWhiteSpace,
}

func TestHouse(t *testing.T) {
	sources := tree(t)
	for _, name := range slices.Sorted(maps.Keys(fileRules)) {
		t.Run(name, func(t *testing.T) {
			for _, src := range sources {
				for _, problem := range fileRules[name](src) {
					t.Errorf("%s:%s", src.path, problem)
				}
			}
		})
	}
	t.Run("package comments", func(t *testing.T) { report(t, checkPackageComments(sources)) })
	t.Run("checkers", func(t *testing.T) { report(t, checkCheckers(importGraph(sources))) })
	t.Run("allow list", func(t *testing.T) { report(t, checkAllowList(sources)) })
	t.Run("modules", func(t *testing.T) {
		report(t, checkModules(sources, read(t, "go.mod"), read(t, "ARCHITECTURE.md")))
	})
	t.Run("journey", func(t *testing.T) { report(t, checkJourney(sources, read(t, "ARCHITECTURE.md"))) })
	t.Run("make", func(t *testing.T) {
		for _, doc := range []string{"README.md", "ARCHITECTURE.md", ".ci/run"} {
			report(t, checkMakeTargets(doc, read(t, doc), read(t, "Makefile")))
		}
	})
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, problem := range problems {
		t.Error(problem)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tree reads every text file of the repository.
func tree(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == ".drydock" || name == "bin"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		src, err := parse(filepath.ToSlash(name), string(text))
		sources = append(sources, src)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 50 {
		t.Fatalf("found only %d files", len(sources))
	}
	return sources
}

func parse(name, text string) (source, error) {
	src := source{path: name, text: text, fset: token.NewFileSet()}
	if !strings.HasSuffix(name, ".go") || strings.Contains("/"+name, "/testdata/") {
		return src, nil
	}
	var err error
	src.file, err = parser.ParseFile(src.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return src, err
}

func checkLength(src source) []string {
	limit := maxFileLines
	if src.isTest() {
		limit = maxTestFileLines
	}
	if lines := strings.Count(src.text, "\n"); src.file != nil && lines > limit {
		return []string{fmt.Sprintf("1: %d lines, at most %d: split it by noun", lines, limit)}
	}
	return nil
}

// functions calls visit with every function that has a body, and its key in
// longFuncs.
func functions(src source, visit func(key string, fn *ast.FuncDecl, lines int)) {
	if src.file == nil {
		return
	}
	for _, decl := range src.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		key := path.Dir(src.path) + " "
		if receiver := receiverName(fn); receiver != "" {
			key += receiver + "."
		}
		visit(key+fn.Name.Name, fn, src.line(fn.End())-src.line(fn.Pos())+1)
	}
}

func receiverName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	t := fn.Recv.List[0].Type
	for {
		switch e := t.(type) {
		case *ast.StarExpr:
			t = e.X
		case *ast.IndexExpr:
			t = e.X
		case *ast.IndexListExpr:
			t = e.X
		case *ast.Ident:
			return e.Name
		default:
			return "?"
		}
	}
}

func checkFunctions(src source) (problems []string) {
	limit := maxFuncLines
	if src.isTest() {
		limit = maxTestFuncLines
	}
	functions(src, func(key string, fn *ast.FuncDecl, lines int) {
		if lines > limit && longFuncs[key] == "" {
			problems = append(problems, fmt.Sprintf("%d: %s has %d lines, at most %d: split it, or give longFuncs a reason",
				src.line(fn.Pos()), key, lines, limit))
		}
	})
	return problems
}

// checkAllowList reports exceptions that nothing needs any more.
func checkAllowList(sources []source) (problems []string) {
	needed := make(map[string]bool)
	for _, src := range sources {
		functions(src, func(key string, _ *ast.FuncDecl, lines int) {
			needed[key] = needed[key] || lines > maxFuncLines
		})
	}
	for _, key := range slices.Sorted(maps.Keys(longFuncs)) {
		if !needed[key] {
			problems = append(problems, fmt.Sprintf("longFuncs lists %s, which is short enough or gone", key))
		}
	}
	return problems
}

var (
	unfinished = regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|X" + "XX|HA" + `CK)\b`)
	link       = regexp.MustCompile(`https?://`)
)

// checkUnfinished wants a link to where unfinished work is tracked.
func checkUnfinished(src source) (problems []string) {
	for i, line := range strings.Split(src.text, "\n") {
		if word := unfinished.FindString(line); word != "" && !link.MatchString(line) {
			problems = append(problems, fmt.Sprintf("%d: %s without a link: finish it, or say where it is tracked", i+1, word))
		}
	}
	return problems
}

var machinePath = regexp.MustCompile("(^|[^[:alnum:]_.])/(" + "root|home/[a-z]+|Users/[A-Za-z]+|wo" + "rk)/")

func checkMachinePaths(src source) (problems []string) {
	for i, line := range strings.Split(src.text, "\n") {
		if found := machinePath.FindString(line); found != "" {
			problems = append(problems, fmt.Sprintf("%d: %q is a path of one machine", i+1, found))
		}
	}
	return problems
}

func checkWhiteSpace(src source) (problems []string) {
	if src.text != "" && !strings.HasSuffix(src.text, "\n") && !strings.Contains(src.path, "testdata/") {
		problems = append(problems, fmt.Sprintf("%d: no newline at the end", strings.Count(src.text, "\n")+1))
	}
	if path.Base(src.path) != "LICENSE" && strings.Contains(src.text, "\r\n") {
		problems = append(problems, "1: carriage returns")
	}
	return problems
}

// calls returns the lines on which pkg.name is used, where pkg is an import
// path of the standard library.
func calls(src source, pkg string, names ...string) (lines []int) {
	if src.file == nil {
		return nil
	}
	local := ""
	for _, spec := range src.file.Imports {
		if importPath(spec) == pkg {
			local = path.Base(pkg)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	ast.Inspect(src.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || local == "" {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local && slices.Contains(names, sel.Sel.Name) {
			lines = append(lines, src.line(sel.Pos()))
		}
		return true
	})
	return lines
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

func checkSleep(src source) (problems []string) {
	if !src.isTest() {
		return nil
	}
	for _, line := range calls(src, "time", "Sleep") {
		problems = append(problems, fmt.Sprintf("%d: sleeps: wait for the condition", line))
	}
	return problems
}

// checkExit lets the main.go of a program end the process, and nothing else: what
// is deferred and what tests want to see must not be skipped.
func checkExit(src source) (problems []string) {
	if path.Base(src.path) == "main.go" && src.file != nil && src.file.Name.Name == "main" {
		return nil
	}
	for _, line := range append(calls(src, "os", "Exit"), calls(src, "log", "Fatal", "Fatalf", "Fatalln")...) {
		problems = append(problems, fmt.Sprintf("%d: exits: return an error, main.go exits", line))
	}
	return problems
}

// folder returns the top-level folder of a package path of this module, and
// false for other modules.
func folder(importPath string) (string, bool) {
	if importPath == "drydock" {
		return "", true
	}
	rest, ok := strings.CutPrefix(importPath, "drydock/")
	top, _, _ := strings.Cut(rest, "/")
	return top, ok
}

// packagePath returns the import path of a file's package.
func packagePath(src source) string { return path.Join("drydock", path.Dir(src.path)) }

func checkLayers(src source) (problems []string) {
	if src.file == nil {
		return nil
	}
	own, _ := folder(packagePath(src))
	height, known := layers[own]
	if !known {
		return []string{fmt.Sprintf("1: folder %q has no place in layers", own)}
	}
	for _, spec := range src.file.Imports {
		theirs, ours := folder(importPath(spec))
		if !ours || theirs == own {
			continue
		}
		if h, ok := layers[theirs]; !ok || h >= height {
			problems = append(problems, fmt.Sprintf("%d: %s imports %s; imports run main > vmlab, bench > scenarios > sim > chaos > node",
				src.line(spec.Pos()), packagePath(src), importPath(spec)))
		}
	}
	return problems
}

// checkImportGroups wants the standard library, then other modules, then our
// own packages, with an empty line between.
func checkImportGroups(src source) (problems []string) {
	if src.file == nil {
		return nil
	}
	kind := func(p string) int {
		first, _, _ := strings.Cut(p, "/")
		switch _, ours := folder(p); {
		case ours:
			return 2
		case strings.Contains(first, "."):
			return 1
		}
		return 0
	}
	for i, spec := range src.file.Imports {
		if i == 0 {
			continue
		}
		before := src.file.Imports[i-1]
		was, is := kind(importPath(before)), kind(importPath(spec))
		apart := src.line(spec.Pos()) > src.line(before.End())+1
		if is < was || is > was && !apart {
			problems = append(problems, fmt.Sprintf("%d: %s: group imports as standard library, other modules, drydock",
				src.line(spec.Pos()), importPath(spec)))
		}
	}
	return problems
}

// selfEvident are the methods whose names say all.
var selfEvident = []string{"Error", "String", "Unwrap"}

// checkExported wants a comment on everything that another package can call.
func checkExported(src source) (problems []string) {
	if src.file == nil || src.isTest() || src.file.Name.Name == "main" {
		return nil
	}
	missing := func(pos token.Pos, name string) {
		problems = append(problems, fmt.Sprintf("%d: %s is exported and has no comment", src.line(pos), name))
	}
	for _, decl := range src.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			receiver := receiverName(d)
			reachable := receiver == "" || ast.IsExported(receiver) && !slices.Contains(selfEvident, d.Name.Name)
			if d.Name.IsExported() && d.Doc == nil && reachable {
				missing(d.Pos(), strings.TrimPrefix(receiver+"."+d.Name.Name, "."))
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				ts, ok := spec.(*ast.TypeSpec)
				if ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
					missing(ts.Pos(), ts.Name.Name)
				}
			}
		}
	}
	return problems
}

// checkPackageComments wants one comment a package, that begins as go doc does.
func checkPackageComments(sources []source) (problems []string) {
	documented := make(map[string]int)
	name := make(map[string]string)
	for _, src := range sources {
		if src.file == nil || src.isTest() {
			continue
		}
		dir := path.Dir(src.path)
		name[dir] = src.file.Name.Name
		if src.file.Doc == nil {
			continue
		}
		documented[dir]++
		text := src.file.Doc.Text()
		begin := "Package " + name[dir] + " "
		if name[dir] == "main" {
			begin = "Command "
		}
		if !strings.HasPrefix(text, begin) {
			problems = append(problems, fmt.Sprintf("%s: the package comment must begin with %q", src.path, begin))
		}
		if lines := strings.Count(text, "\n"); lines > maxDocLines && path.Base(src.path) != "doc.go" {
			problems = append(problems, fmt.Sprintf("%s: a package comment of %d lines belongs in doc.go", src.path, lines))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(name)) {
		if documented[dir] != 1 {
			problems = append(problems, fmt.Sprintf("%s: %d package comments, want one", dir, documented[dir]))
		}
	}
	return problems
}

// importGraph returns what each of our packages imports, tests aside.
func importGraph(sources []source) map[string][]string {
	graph := make(map[string][]string)
	for _, src := range sources {
		if src.file == nil || src.isTest() {
			continue
		}
		for _, spec := range src.file.Imports {
			graph[packagePath(src)] = append(graph[packagePath(src)], importPath(spec))
		}
	}
	return graph
}

// checkCheckers: who judges the node must not share its rules, at any depth, or
// both would be wrong alike.
func checkCheckers(graph map[string][]string) (problems []string) {
	for _, checker := range slices.Sorted(maps.Keys(graph)) {
		if checker != "drydock/scenarios/checker" && !strings.HasPrefix(checker, "drydock/scenarios/checker/") {
			continue
		}
		seen := make(map[string]bool)
		var visit func(chain []string)
		visit = func(chain []string) {
			last := chain[len(chain)-1]
			if top, ours := folder(last); ours && top == "node" {
				problems = append(problems, fmt.Sprintf("a checker knows the node: %s", strings.Join(chain, " > ")))
				return
			}
			for _, next := range graph[last] {
				if !seen[next] {
					seen[next] = true
					visit(append(slices.Clip(chain), next))
				}
			}
		}
		visit([]string{checker})
	}
	return problems
}

// checkModules wants the requirements pinned in one place, marked direct if they
// are, and each direct one explained in ARCHITECTURE.md.
func checkModules(sources []source, gomod, architecture string) (problems []string) {
	requirement := regexp.MustCompile(`^(?:require )?\t?(\S+\.\S+/\S+|\S+\.\S+) (v\S+)( // indirect)?$`)
	indirect := make(map[string]bool)
	for i, line := range strings.Split(gomod, "\n") {
		if m := requirement.FindStringSubmatch(line); m != nil {
			indirect[m[1]] = m[3] != ""
		}
		for _, word := range []string{"replace", "exclude", "retract", "toolchain"} {
			if strings.HasPrefix(line, word) {
				problems = append(problems, fmt.Sprintf("go.mod:%d: %s: the same versions must reach everybody", i+1, word))
			}
		}
	}
	used := make(map[string]string)
	for _, src := range sources {
		if src.file == nil {
			continue
		}
		for _, spec := range src.file.Imports {
			if module := moduleOf(importPath(spec), indirect); module != "" {
				used[module] = src.path
			}
		}
	}
	for _, module := range slices.Sorted(maps.Keys(used)) {
		if indirect[module] {
			problems = append(problems, fmt.Sprintf("go.mod: %s is marked indirect, and %s imports it", module, used[module]))
		}
		if !strings.Contains(architecture, module) {
			problems = append(problems, fmt.Sprintf("ARCHITECTURE.md does not say why there is %s, which %s imports", module, used[module]))
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\S+\\.\\S+/\\S+)` \\|").FindAllStringSubmatch(architecture, -1) {
		if _, ok := indirect[row[1]]; !ok {
			problems = append(problems, fmt.Sprintf("ARCHITECTURE.md explains %s, which go.mod does not require", row[1]))
		}
	}
	return problems
}

// moduleOf returns the longest of the modules that holds the package.
func moduleOf(importPath string, modules map[string]bool) (best string) {
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		if (importPath == module || strings.HasPrefix(importPath, module+"/")) && len(module) > len(best) {
			best = module
		}
	}
	return best
}

// checkMakeTargets wants every target that a document names to exist.
func checkMakeTargets(name, text, makefile string) (problems []string) {
	for _, m := range regexp.MustCompile("(?m)(?:^|`|\\$ )make ([a-z-]+)").FindAllStringSubmatch(text, -1) {
		if !strings.Contains("\n"+makefile, "\n"+m[1]+":") {
			problems = append(problems, fmt.Sprintf("%s: the Makefile has no target %s", name, m[1]))
		}
	}
	return problems
}

// checkJourney wants every function on the way of a write to exist, so that the
// way can still be followed by grep. A step is a line that begins with a
// function, as package.Func, Type.Method or package.Type.Method.
func checkJourney(sources []source, architecture string) (problems []string) {
	have := make(map[string]bool)
	for _, src := range sources {
		if src.isTest() || !strings.HasPrefix(src.path, "node/") {
			continue
		}
		functions(src, func(_ string, fn *ast.FuncDecl, _ int) {
			owner := receiverName(fn)
			if owner == "" {
				owner = src.file.Name.Name
			}
			have[owner+"."+fn.Name.Name] = true
		})
	}
	steps := regexp.MustCompile(`(?m)^(?: → |)(?:[a-z]+\.)??(\w+\.\w+)  `).FindAllStringSubmatch(architecture, -1)
	if len(steps) < 10 {
		problems = append(problems, fmt.Sprintf("ARCHITECTURE.md shows only %d steps of a write", len(steps)))
	}
	for _, step := range steps {
		if !have[step[1]] {
			problems = append(problems, fmt.Sprintf("ARCHITECTURE.md leads a write through %s, which node/ does not have", step[1]))
		}
	}
	return problems
}
