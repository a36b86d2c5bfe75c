package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"drydock/node/ui"
)

// errCatalogue is matched by errors of a mutant that does not fit the tree.
var errCatalogue = errors.New("catalogue")

// maxFileBytes is the size from which a file of the tree is no source.
const maxFileBytes = 8 << 20

// tree is a copy of the sources, which nobody edits while mutants are built.
// Mutated files lie beside it: the compiler is told to read them instead.
type tree struct {
	dir string // holds src, bin and edits
}

// checkRoot says whether the product's sources are at root.
func checkRoot(root string) error {
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err == nil && !strings.HasPrefix(string(gomod), "module drydock\n") {
		err = errors.New("its go.mod is another module's")
	}
	if err != nil {
		return ui.Usagef("--tree: %s is not the root of the product's sources: %v", root, err)
	}
	return nil
}

// newTree copies the sources at root into dir.
func newTree(root, dir string) (*tree, error) {
	t := &tree{dir: dir}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (rel == ".git" || rel == ".drydock" || rel == "bin"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(t.src(), rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxFileBytes {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(t.src(), rel), text, 0o644)
	})
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "bin"), 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("copy the tree: %w", err)
	}
	return t, nil
}

func (t *tree) src() string { return filepath.Join(t.dir, "src") }

// read returns a file of the copy; name is slash-separated.
func (t *tree) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(t.src(), filepath.FromSlash(name)))
	return string(text), err
}

// build compiles the product, with a mutant or, for nil, as it is. It returns
// the program's path and the CPU time that it took. A mutant that can't be
// applied or compiled is an error that matches errCatalogue.
func (t *tree) build(ctx context.Context, m *mutant) (program string, cpu time.Duration, err error) {
	program = filepath.Join(t.dir, "bin", "drydock")
	if m != nil {
		program += "-" + m.Name
	}
	cpu, err = t.compile(ctx, m, "-ldflags=-s -w", "-o", program, ".")
	return program, cpu, err
}

// compilePackages compiles only the packages that m changes, which is quicker
// and shows as well whether m fits.
func (t *tree) compilePackages(ctx context.Context, m *mutant) (program string, cpu time.Duration, err error) {
	var args []string
	for _, e := range m.Edits {
		if dir := "./" + path.Dir(e.File); !slices.Contains(args, dir) {
			args = append(args, dir)
		}
	}
	cpu, err = t.compile(ctx, m, args...)
	return "", cpu, err
}

// compile runs the compiler.
func (t *tree) compile(ctx context.Context, m *mutant, args ...string) (cpu time.Duration, err error) {
	args = append([]string{"build", "-trimpath"}, args...)
	if m != nil {
		overlay, err := t.overlay(m)
		if err != nil {
			return 0, err
		}
		args = slices.Insert(args, 1, "-overlay="+overlay)
	}
	cmd := command(ctx, t.src(), "go", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && m != nil:
		err = fmt.Errorf("%w: mutant %s does not compile: %w\n%s", errCatalogue, m.Name, err, out.Bytes())
	case err != nil:
		err = fmt.Errorf("the tree does not compile: %w\n%s", err, out.Bytes())
	}
	return used(cmd), err
}

// overlay writes the files that m changes and the list of them that the
// compiler reads.
func (t *tree) overlay(m *mutant) (string, error) {
	changed, err := m.apply(t.read)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errCatalogue, err)
	}
	dir := filepath.Join(t.dir, "edits", m.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	list := struct{ Replace map[string]string }{make(map[string]string)}
	for name, text := range changed {
		place := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(place, []byte(text), 0o644); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(t.src(), filepath.FromSlash(name))] = place
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o644)
}

// remove drops a program that is needed no more.
func (t *tree) remove(program string) {
	if program != "" {
		_ = os.Remove(program)
	}
}

// command is a process that ends with ctx, and all that it started with it.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// used is the CPU time of a process that has ended and of those that it waited
// for.
func used(cmd *exec.Cmd) time.Duration {
	if cmd.ProcessState == nil {
		return 0
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
