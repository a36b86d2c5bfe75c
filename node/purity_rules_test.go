package node_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

// rule is one thing that makes a computation depend on more than its inputs.
type rule int

const (
	ruleImport rule = iota
	ruleGoroutine
	ruleChannel
	ruleMapOrder
	ruleClock
	ruleTimeZone
	ruleGlobalRand
	ruleOutput
	ruleAddress
	ruleGlobalState
	ruleProtoText
	lastRule
)

// String names the rule as findings do.
func (r rule) String() string {
	return [...]string{
		"import", "goroutine", "channel", "map order", "clock", "time zone", "global randomness", "output",
		"address", "global state", "proto text",
	}[r]
}

// fix says what to do instead.
func (r rule) fix() string {
	return [...]string{
		"let the world do it (node/world), or move the package to the shell",
		"a node is one logical thread: make it an input or a disk job",
		"a node is one logical thread: make it an input or an effect",
		"range over slices.Sorted(maps.Keys(m)), or keep a slice beside the map",
		"take the time from the input's world.Instant",
		"add .UTC(): the result must not depend on the machine's zone",
		"draw from the stream that was handed in",
		"return it; the world prints",
		"an address differs between runs: print an id",
		"keep it in a struct: the simulator runs many nodes in one process",
		"protobuf's text differs between builds: print the fields that matter",
	}[r]
}

// allRules are the core's. worldRules are the simulated world's: it may print,
// and set the process's random source for the node it steps; and it may range
// over a map below a comment "any order: " with the reason.
var (
	allRules = []rule{
		ruleGoroutine, ruleChannel, ruleMapOrder, ruleClock, ruleTimeZone, ruleGlobalRand, ruleOutput,
		ruleAddress, ruleGlobalState, ruleProtoText,
	}
	worldRules = []rule{ruleGoroutine, ruleChannel, ruleMapOrder, ruleClock, ruleTimeZone, ruleGlobalRand, ruleAddress, ruleProtoText}
)

// finding is a broken rule.
type finding struct {
	pos  token.Position
	rule rule
	what string
}

func (f finding) String() string { return fmt.Sprintf("%v: %s; %s", f.pos, f.what, f.rule.fix()) }

// checkImports reports imports that the core may not have.
func checkImports(pkg *packages.Package) []finding {
	var found []finding
	for _, file := range pkg.Syntax {
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil || mayImport(path) {
				continue
			}
			found = append(found, finding{
				pkg.Fset.Position(spec.Pos()), ruleImport, fmt.Sprintf("%s: the core may not import %s", ruleImport, path),
			})
		}
	}
	return found
}

func mayImport(path string) bool {
	if path == "drydock/node" || strings.HasPrefix(path, "drydock/node/") {
		return !isShell(path)
	}
	return slices.ContainsFunc(slices.Concat(coreStd, coreThirdParty), func(pattern string) bool {
		tree, isTree := strings.CutSuffix(pattern, "...")
		return path == pattern || isTree && (strings.HasPrefix(path, tree) || path+"/" == tree)
	})
}

// checkDeterminism reports what breaks one of the rules.
func checkDeterminism(pkg *packages.Package, rules []rule) []finding {
	c := &checker{pkg: pkg, rules: rules, mayExcuse: !slices.Contains(rules, ruleGlobalState)}
	for _, file := range pkg.Syntax {
		c.stack, c.excused = c.stack[:0], excuses(pkg.Fset, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				c.stack = c.stack[:len(c.stack)-1]
				return true
			}
			c.node(n)
			c.stack = append(c.stack, n)
			return true
		})
	}
	return c.found
}

type checker struct {
	pkg   *packages.Package
	rules []rule
	found []finding
	// mayExcuse says whether excuses count; in the core they don't.
	mayExcuse bool
	// excused are the lines of the file that the order of a map may reach.
	excused map[int]bool
	// stack holds the nodes around the one that is looked at, outermost first.
	stack []ast.Node
}

func (c *checker) report(n ast.Node, r rule, format string, args ...any) {
	if slices.Contains(c.rules, r) {
		what := fmt.Sprintf("%s: %s", r, fmt.Sprintf(format, args...))
		c.found = append(c.found, finding{c.pkg.Fset.Position(n.Pos()), r, what})
	}
}

func (c *checker) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.report(n, ruleGoroutine, "go statement")
	case *ast.ChanType:
		c.report(n, ruleChannel, "channel type")
	case *ast.SendStmt:
		c.report(n, ruleChannel, "send")
	case *ast.SelectStmt:
		c.report(n, ruleChannel, "select")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			c.report(n, ruleChannel, "receive")
		}
	case *ast.RangeStmt:
		c.rangeOver(n)
	case *ast.CallExpr:
		c.call(n)
	case *ast.Ident:
		c.use(n)
	case *ast.BasicLit:
		if n.Kind == token.STRING && strings.Contains(n.Value, "%p") {
			c.report(n, ruleAddress, "%%p in a format")
		}
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			c.assign(left)
		}
	case *ast.IncDecStmt:
		c.assign(n.X)
	}
}

func (c *checker) rangeOver(n *ast.RangeStmt) {
	for _, t := range shapes(c.pkg.TypesInfo.TypeOf(n.X)) {
		switch t.(type) {
		case *types.Map:
			excused := c.mayExcuse && c.excused[c.pkg.Fset.Position(n.Pos()).Line]
			if !excused {
				c.report(n, ruleMapOrder, "range over a map")
			}
		case *types.Chan:
			c.report(n, ruleChannel, "range over a channel")
		}
	}
}

// excuses returns the lines that an "any order: " comment stands on or above.
func excuses(fset *token.FileSet, file *ast.File) map[int]bool {
	reason := regexp.MustCompile(`any order: \S`)
	lines := make(map[int]bool)
	for _, group := range file.Comments {
		if reason.MatchString(group.Text()) {
			lines[fset.Position(group.Pos()).Line] = true
			lines[fset.Position(group.End()).Line+1] = true
		}
	}
	return lines
}

// shapes returns the underlying types that a value of type t can have: one, but
// for a type parameter.
func shapes(t types.Type) []types.Type {
	constraint, ok := t.Underlying().(*types.Interface)
	if !ok {
		return []types.Type{t.Underlying()}
	}
	var found []types.Type
	for embedded := range constraint.EmbeddedTypes() {
		union, ok := embedded.(*types.Union)
		if !ok {
			found = append(found, shapes(embedded)...)
			continue
		}
		for term := range union.Terms() {
			found = append(found, shapes(term.Type())...)
		}
	}
	return found
}

// call looks at calls whose surroundings decide: iterators over maps, times in
// the machine's zone, and the printing builtins.
func (c *checker) call(n *ast.CallExpr) {
	switch callee := typeutil.Callee(c.pkg.TypesInfo, n).(type) {
	case *types.Builtin:
		if callee.Name() == "print" || callee.Name() == "println" {
			c.report(n, ruleOutput, "call of %s", callee.Name())
		}
	case *types.Func:
		switch callee.FullName() {
		case "maps.Keys", "maps.Values", "maps.All":
			if !c.sorted() {
				c.report(n, ruleMapOrder, "%s outside slices.Sorted", callee.FullName())
			}
		case "fmt.Sprint", "fmt.Sprintf", "fmt.Sprintln", "fmt.Errorf", "fmt.Print", "fmt.Printf", "fmt.Println",
			"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "fmt.Append", "fmt.Appendf", "fmt.Appendln":
			c.printed(n)
		case "time.Unix", "time.UnixMilli", "time.UnixMicro":
			if !c.inUTC() {
				c.report(n, ruleTimeZone, "%s without .UTC()", callee.FullName())
			}
		}
	}
}

// sorted says whether the call that is looked at is an argument of one that
// sorts what it iterates over.
func (c *checker) sorted() bool {
	outer, ok := c.stack[len(c.stack)-1].(*ast.CallExpr)
	if !ok {
		return false
	}
	callee, ok := typeutil.Callee(c.pkg.TypesInfo, outer).(*types.Func)
	return ok && slices.Contains([]string{"slices.Sorted", "slices.SortedFunc", "slices.SortedStableFunc"}, callee.FullName())
}

// printed reports raft's messages among the arguments of a print function.
func (c *checker) printed(n *ast.CallExpr) {
	for _, arg := range n.Args {
		t := c.pkg.TypesInfo.TypeOf(arg)
		for inner := true; inner; {
			switch wrapper := t.(type) {
			case *types.Pointer:
				t = wrapper.Elem()
			case *types.Slice:
				t = wrapper.Elem()
			default:
				inner = false
			}
		}
		named, ok := t.(*types.Named)
		if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != "go.etcd.io/raft/v3/raftpb" {
			continue
		}
		if _, ok := named.Underlying().(*types.Struct); ok {
			c.report(arg, ruleProtoText, "prints a raftpb.%s", named.Obj().Name())
		}
	}
}

func (c *checker) inUTC() bool {
	outer, ok := c.stack[len(c.stack)-1].(*ast.SelectorExpr)
	return ok && outer.Sel.Name == "UTC"
}

// forbidden maps functions and variables, by full name, to the rule that every
// use of them breaks, be it a call or not.
var forbidden = map[string]rule{
	"time.Now": ruleClock, "time.Since": ruleClock, "time.Until": ruleClock, "time.Sleep": ruleClock,
	"time.After": ruleClock, "time.AfterFunc": ruleClock, "time.NewTimer": ruleClock, "time.NewTicker": ruleClock,
	"time.Tick": ruleClock,

	"time.Local": ruleTimeZone, "time.LoadLocation": ruleTimeZone, "(time.Time).Local": ruleTimeZone,

	"maps.DeleteFunc": ruleMapOrder, "(reflect.Value).MapKeys": ruleMapOrder, "(reflect.Value).MapRange": ruleMapOrder,
	"(*sync.Map).Range": ruleMapOrder,

	"fmt.Print": ruleOutput, "fmt.Printf": ruleOutput, "fmt.Println": ruleOutput,
	"fmt.Scan": ruleOutput, "fmt.Scanf": ruleOutput, "fmt.Scanln": ruleOutput,
}

// use looks at a name that stands for something declared elsewhere; behind a
// package's name or, after an import to ".", without.
func (c *checker) use(name *ast.Ident) {
	obj := c.pkg.TypesInfo.Uses[name]
	if obj == nil || obj.Pkg() == nil {
		return
	}
	full := obj.Pkg().Path() + "." + obj.Name()
	fn, isFunc := obj.(*types.Func)
	if isFunc {
		full = fn.FullName()
	}
	if r, ok := forbidden[full]; ok {
		c.report(name, r, "use of %s", full)
	}
	// The functions of math/rand draw from the process's source; its New… make
	// one of the caller's. What crypto/rand reads can be replaced by the world,
	// what math/rand draws cannot.
	pkg := obj.Pkg().Path()
	random := pkg == "math/rand" || pkg == "math/rand/v2"
	if random && isFunc && fn.Signature().Recv() == nil && !strings.HasPrefix(fn.Name(), "New") {
		c.report(name, ruleGlobalRand, "use of %s", full)
	}
}

// assign reports writing to a package-level variable, or to a part of one.
func (c *checker) assign(left ast.Expr) {
	for {
		switch e := left.(type) {
		case *ast.IndexExpr:
			left = e.X
		case *ast.StarExpr:
			left = e.X
		case *ast.ParenExpr:
			left = e.X
		case *ast.SelectorExpr:
			// pkg.Var is a variable; x.field is a part of x.
			if id, ok := e.X.(*ast.Ident); ok {
				if _, isPkg := c.pkg.TypesInfo.Uses[id].(*types.PkgName); isPkg {
					left = e.Sel
					continue
				}
			}
			left = e.X
		case *ast.Ident:
			v, ok := c.pkg.TypesInfo.ObjectOf(e).(*types.Var)
			if ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				c.report(e, ruleGlobalState, "assignment to package variable %s", e.Name)
			}
			return
		default:
			return
		}
	}
}
