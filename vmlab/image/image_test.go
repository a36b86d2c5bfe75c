package image

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRecipe: what an image follows from tells recipes apart, and nothing else does.
func TestRecipe(t *testing.T) {
	plain := Options{Name: "a", Suite: DefaultSuite, Mirror: DefaultMirror, Docker: true, UML: true, QEMU: true}
	same := plain
	same.Name, same.Program, same.Force = "b", "/bin/true", true
	if newRecipe(&plain).digest() != newRecipe(&same).digest() {
		t.Error("a name changes the recipe")
	}
	for what, change := range map[string]func(*Options){
		"suite":    func(o *Options) { o.Suite = "trixie" },
		"docker":   func(o *Options) { o.Docker = false },
		"kernel":   func(o *Options) { o.UML = false },
		"machines": func(o *Options) { o.QEMU = false },
		"packages": func(o *Options) { o.Packages = []string{"curl"} },
	} {
		other := plain
		change(&other)
		if newRecipe(&plain).digest() == newRecipe(&other).digest() {
			t.Errorf("%s does not change the recipe", what)
		}
	}
	if r := newRecipe(&Options{}); slices.Contains(r.Packages, "docker.io") || !slices.Contains(r.Packages, "systemd") {
		t.Errorf("packages without Docker: %v", r.Packages)
	}
}

func TestStore(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "images")}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("an empty store: %v, %v", list, err)
	}
	if _, err := s.Open(""); !errors.Is(err, ErrNoImage) || !strings.Contains(err.Error(), "lab image build") {
		t.Errorf("no image: %v", err)
	}
	if _, err := s.Open("../a"); err == nil || errors.Is(err, ErrNoImage) {
		t.Errorf("a path: %v", err)
	}
	dir := filepath.Join(s.Dir, Default)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	i := &Image{Dir: dir, Manifest: Manifest{Version: manifestVersion, Name: Default, Recipe: "x", Suite: "bookworm", UML: true}}
	if err := i.save(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Open("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(i, got); diff != "" {
		t.Errorf("image (-saved +opened):\n%s", diff)
	}
	for _, text := range []string{"{", `{"version": 2, "name": "coreos"}`, `{"version": 1, "name": "other"}`} {
		if err := os.WriteFile(filepath.Join(dir, manifestF), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(""); err == nil || errors.Is(err, ErrNoImage) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBuildNothing: an image of the same recipe is left as it is.
func TestBuildNothing(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	o := &Options{Name: "small", Suite: DefaultSuite, Mirror: DefaultMirror, Log: io.Discard, Step: func(text string) { t.Errorf("step: %s", text) }}
	dir := filepath.Join(s.Dir, o.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	i := &Image{Dir: dir, Manifest: Manifest{Version: manifestVersion, Name: o.Name, Recipe: newRecipe(o).digest()}}
	if err := i.save(); err != nil {
		t.Fatal(err)
	}
	got, fresh, err := s.Build(t.Context(), o)
	if err != nil || fresh || got.Name != o.Name {
		t.Errorf("got %+v, %v, %v", got, fresh, err)
	}
}

func TestPut(t *testing.T) {
	root := t.TempDir()
	f := rootFile{Path: "/etc/deep/file", Text: "a", Mode: 0o440}
	for range 2 { // what is there, though it can't be written, is replaced
		if err := put(root, f); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(root, f.Path))
	if err != nil || info.Mode() != 0o440 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestInstalled(t *testing.T) {
	root := t.TempDir()
	if _, err := installed(root); err == nil {
		t.Error("a root without records has packages")
	}
	status := "Package: b\nStatus: install ok installed\nVersion: 2-1\n\nPackage: a\nVersion: 1:1.0\nDescription: x\n Package: no\n"
	if err := put(root, rootFile{"/var/lib/dpkg/status", status, 0o644}); err != nil {
		t.Fatal(err)
	}
	got, err := installed(root)
	if diff := cmp.Diff([]string{"a=1:1.0", "b=2-1"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestUnits: the units that the image brings are masked nowhere.
func TestUnits(t *testing.T) {
	for _, name := range append(slices.Clone(enabled), disabled...) {
		if slices.Contains(masks, name) {
			t.Errorf("%s is masked", name)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(masks)))) != len(masks) {
		t.Error("a unit is masked twice")
	}
}
