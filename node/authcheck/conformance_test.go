package authcheck_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestRecordedConversations plays what was recorded from etcd 3.4 about auth. The
// recordings and their player are not part of the project; they are played where
// they can be found.
func TestRecordedConversations(t *testing.T) {
	if testing.Short() {
		t.Skip("building the player takes a while")
	}
	dir := os.Getenv("DRYDOCK_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance", "etcd-v2")
	}
	if _, err := os.Stat(filepath.Join(dir, "replay", "main.go")); err != nil {
		t.Skipf("no recorded conversations (DRYDOCK_CONFORMANCE names their folder): %v", err)
	}
	player := filepath.Join(t.TempDir(), "replay")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", player, ".")
	build.Dir = filepath.Join(dir, "replay")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the player: %v\n%s", err, out)
	}
	url, _ := startMember(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	play := exec.CommandContext(ctx, player, "-cases", filepath.Join(dir, "cases"), "-strict", "-tags", "auth", "-endpoint", url)
	out, err := play.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
