package runner

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RunsDir is where recordings go unless the caller says otherwise; each call of
// run that has failures adds a directory DATE-N.
const RunsDir = ".drydock/runs"

// maxRunsADay bounds the search for a free name.
const maxRunsADay = 100_000

// Shelve makes the directory for the recordings of one call, DATE-N with the
// next free N, below root.
func Shelve(root string, now time.Time) (string, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	day := now.Format("20060102")
	n := 1
	for _, dir := range shelves(root) {
		if dir.day == day {
			n = dir.n + 1
		}
	}
	for ; n < maxRunsADay; n++ {
		name := filepath.Join(root, fmt.Sprintf("%s-%d", day, n))
		err := os.Mkdir(name, 0o755)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("%s holds %d runs of this day", root, maxRunsADay)
}

// Unshelve removes the directory that Shelve made, if nothing was put into it.
func Unshelve(dir string) {
	// Not empty is what it should be after a failure.
	_ = os.Remove(dir)
}

// shelf is a directory DATE-N.
type shelf struct {
	name string
	day  string
	n    int
}

// shelves lists the directories below root, oldest first.
func shelves(root string) []shelf {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil
	}
	var out []shelf
	for _, e := range entries {
		day, number, ok := strings.Cut(e.Name(), "-")
		n, err := strconv.Atoi(number)
		if ok && err == nil && e.IsDir() {
			out = append(out, shelf{filepath.Join(root, e.Name()), day, n})
		}
	}
	slices.SortFunc(out, func(a, b shelf) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.n, b.n))
	})
	return out
}

// Find opens the newest recording below root that ref names: NAME@SEED, or NAME
// for whichever seed. The error matches ErrNoRecording if there is none.
func Find(root, ref string) (*Recording, error) {
	pattern := ref
	if !strings.Contains(ref, "@") {
		pattern += "@*"
	}
	if strings.ContainsAny(ref, `/\*?[`) {
		return nil, fmt.Errorf("%w is called %q", ErrNoRecording, ref)
	}
	for _, dir := range slices.Backward(shelves(root)) {
		found, err := filepath.Glob(filepath.Join(dir.name, pattern, runFile))
		if err == nil && len(found) > 0 {
			return Open(filepath.Dir(found[0]))
		}
	}
	return nil, fmt.Errorf("%w is called %q below %s", ErrNoRecording, ref, root)
}

// Recordings lists what is recorded below root, newest first, as NAME@SEED.
func Recordings(root string) []string {
	var out []string
	for _, dir := range slices.Backward(shelves(root)) {
		found, err := filepath.Glob(filepath.Join(dir.name, "*@*", runFile))
		if err != nil {
			continue
		}
		for _, file := range found {
			if name := filepath.Base(filepath.Dir(file)); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
