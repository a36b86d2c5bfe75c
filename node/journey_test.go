package node_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is one function of the journey that doc.go tells: its receiver or
// package, and its name.
var step = regexp.MustCompile(`^([A-Za-z]+)\.([A-Za-z]+)$`)

// Every plain arrow of doc.go is a call that the code makes, so that a write
// can be followed by searching for one name after the other.
func TestTheJourneyIsAsTold(t *testing.T) {
	calls := callsByFunction(t, ".", "api", "consensus", "state", "keys")
	pairs := 0
	for _, way := range arrows(t) {
		from, to := step.FindStringSubmatch(way[0]), step.FindStringSubmatch(way[1])
		if from == nil || to == nil {
			t.Errorf("doc.go: %s → %s: an arrow leads from function to function", way[0], way[1])
			continue
		}
		made, known := calls[way[0]]
		if !known {
			t.Errorf("doc.go: there is no %s", way[0])
		} else if !made[to[2]] {
			t.Errorf("doc.go: %s does not call %s", way[0], to[2])
		}
		if _, known := calls[way[1]]; !known {
			t.Errorf("doc.go: there is no %s", way[1])
		}
		pairs++
	}
	if pairs < 20 {
		t.Errorf("doc.go tells only %d arrows", pairs)
	}
}

// arrows reads the plain arrows of doc.go, left to right.
func arrows(t *testing.T) (list [][2]string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(strings.ReplaceAll(string(text), "//", " "))
	for i := 1; i+1 < len(words); i++ {
		if words[i] == "→" {
			list = append(list, [2]string{words[i-1], words[i+1]})
		}
	}
	return list
}

// callsByFunction lists the names that each function calls, keyed by "Type.Name"
// or "package.Name".
func callsByFunction(t *testing.T, dirs ...string) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
					out[owner(file, fn)+"."+fn.Name.Name] = called(fn.Body)
				}
			}
		}
	}
	return out
}

// owner is a method's type, or a function's package.
func owner(file *ast.File, fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return file.Name.Name
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func called(body *ast.BlockStmt) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(body, func(x ast.Node) bool {
		if call, ok := x.(*ast.CallExpr); ok {
			switch fn := call.Fun.(type) {
			case *ast.Ident:
				names[fn.Name] = true
			case *ast.SelectorExpr:
				names[fn.Sel.Name] = true
			}
		}
		return true
	})
	return names
}
