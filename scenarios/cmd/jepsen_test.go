package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// porcupineDir is where the porcupine module lies in the module cache.
func porcupineDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anishathalye/porcupine").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Fatalf("find porcupine: %q, %v", dir, err)
	}
	return dir
}

// verdictOfPorcupine finds in porcupine's tests which logs are linearizable.
var verdictOfPorcupine = regexp.MustCompile(`checkJepsen\(t, (\d+), (true|false)\)`)

// TestJepsenEtcdLogs judges the logs of Jepsen's runs of etcd that ship with
// porcupine, and compares the verdicts with those that porcupine's tests list.
func TestJepsenEtcdLogs(t *testing.T) {
	dir := porcupineDir(t)
	text, err := os.ReadFile(filepath.Join(dir, "porcupine_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, m := range verdictOfPorcupine.FindAllStringSubmatch(string(text), -1) {
		number, _ := strconv.Atoi(m[1])
		name := fmt.Sprintf("etcd_%03d.log", number)
		want[name] = 0
		if m[2] == "false" {
			want[name] = 1
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, "test_data", "jepsen", "*.log"))
	if err != nil || len(logs) < 100 || len(want) < 100 {
		t.Fatalf("%d logs, %d verdicts, %v", len(logs), len(want), err)
	}
	for _, log := range logs {
		code, listed := want[filepath.Base(log)]
		if info, err := os.Stat(log); !listed {
			// One log is empty, so that there is nothing to be right or wrong.
			if err != nil || info.Size() != 0 {
				t.Errorf("porcupine's tests don't judge %s", log)
				continue
			}
			code = 3
		}
		got, out, fault := check(t, "", "--format", "jepsen", log)
		if got != code || fault != "" {
			t.Errorf("%s: code %d, want %d\n%s%s", filepath.Base(log), got, code, out, fault)
		}
	}
}
