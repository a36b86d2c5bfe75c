package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/image"
)

func TestCandidates(t *testing.T) {
	for system, want := range map[string]string{
		"linux":   "microvm, kvm; q35, kvm; microvm, tcg; q35, tcg",
		"darwin":  "microvm, hvf; q35, hvf; microvm, tcg; q35, tcg",
		"freebsd": "microvm, tcg; q35, tcg",
	} {
		var list []string
		for _, m := range candidates(system) {
			list = append(list, m.String())
		}
		if got := strings.Join(list, "; "); got != want {
			t.Errorf("%s: %s, want %s", system, got, want)
		}
	}
}

// TestChoose: the first that works is taken; what was too slow is not tried as
// another type of machine, what refused is.
func TestChoose(t *testing.T) {
	errRefused := errors.New("refused")
	for name, test := range map[string]struct {
		works map[string]error
		tried string
		fails bool
	}{
		"hardware":         {map[string]error{"microvm, kvm": nil}, "microvm, kvm", false},
		"hardware in name": {map[string]error{"microvm, kvm": errSlow, "microvm, tcg": nil}, "microvm, kvm; microvm, tcg", false},
		"a PC alone":       {map[string]error{"microvm, kvm": errRefused, "q35, kvm": nil}, "microvm, kvm; q35, kvm", false},
		"nothing":          {map[string]error{}, "microvm, kvm; q35, kvm; microvm, tcg; q35, tcg", true},
	} {
		t.Run(name, func(t *testing.T) {
			tried, err := choose(candidates("linux"), func(m Machine) error {
				if err, ok := test.works[m.String()]; ok {
					return err
				}
				return errRefused
			})
			var list []string
			for _, a := range tried {
				list = append(list, a.String())
			}
			if diff := cmp.Diff(test.tried, strings.Join(list, "; ")); diff != "" {
				t.Errorf("tried (-want +got):\n%s", diff)
			}
			if errors.Is(err, ErrNone) != test.fails || (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			if test.fails && strings.Count(err.Error(), "refused") != 4 {
				t.Errorf("not all reasons: %v", err)
			}
		})
	}
}

// script puts a program called qemu-system-x86_64 on the path that does what the
// text says.
func script(t *testing.T, text string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: no shell")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Program), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("HOME", dir)
}

// TestTry: what counts is that a program has run, not that a device is there; what
// was found is remembered as long as it is true.
func TestTry(t *testing.T) {
	script(t, `case "$*" in
*kvm*) echo "no such device" >&2; exit 1;;
*microvm*) echo "init: nothing of note"; exit 0;;
*) echo "[ 0.1] booting"; echo "init: drydock: this kernel runs programs"; exec sleep 600;;
esac`)
	i := &image.Image{Dir: t.TempDir(), Manifest: image.Manifest{QEMU: "6.1"}}
	tried, err := Try(t.Context(), i)
	skipWithoutNamespaces(t, tried)
	if err != nil || len(tried) != 4 || tried[3].Machine != (Machine{TCG, Q35}) {
		t.Fatalf("tried %v, %v", tried, err)
	}
	if tried[0].Err == nil || !strings.Contains(tried[0].Err.Error(), "exit status 1: no such device") {
		t.Errorf("a device that isn't there: %v", tried[0].Err)
	}
	if err := tried[2].Err; err == nil || errors.Is(err, errSlow) {
		t.Errorf("a kernel that says something else: %v", err)
	}
	program := filepath.Join(filepath.SplitList(os.Getenv("PATH"))[0], Program)
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Choose(t.Context(), i)
	if err != nil || m != (Machine{TCG, Q35}) {
		t.Errorf("remembered: %v, %v", m, err)
	}
	// Another QEMU has to show what it can do.
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'drydock: this kernel runs programs'\n"), info.Mode()); err != nil {
		t.Fatal(err)
	}
	if m, err := Choose(t.Context(), i); err != nil || m == (Machine{TCG, Q35}) {
		t.Errorf("another program: %v, %v", m, err)
	}
}

// skipWithoutNamespaces skips a test where QEMU can't be shut off from the network.
func skipWithoutNamespaces(t *testing.T, tried []Attempt) {
	t.Helper()
	for _, a := range tried {
		if a.Err != nil && strings.Contains(a.Err.Error(), "fork/exec") {
			t.Skipf("skipped: no user namespaces here: %v", a.Err)
		}
	}
}

func TestNoQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Choose(t.Context(), &image.Image{}); err == nil || !strings.Contains(err.Error(), "apt-get install qemu-system-x86") {
		t.Errorf("got %v", err)
	}
}

func TestMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "qemu.json")
	m := memory{file: file, key: "one"}
	if _, ok := m.recall(); ok {
		t.Error("a file that isn't there")
	}
	m.keep(Machine{KVM, MicroVM})
	if got, ok := m.recall(); !ok || got != (Machine{KVM, MicroVM}) {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := (memory{file: file, key: "two"}).recall(); ok {
		t.Error("what another host has found")
	}
	for _, text := range []string{"{", `{"key":"one"}`, `{"key":"one","machine":{"accelerator":"kvm"}}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := m.recall(); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
	memory{}.keep(Machine{KVM, MicroVM}) // nowhere
}
