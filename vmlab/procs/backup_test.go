package procs

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"drydock/node/archive"
)

// TestABackupOfAMemberRunsAsANewCluster takes a backup of one of three members
// after all were killed, and runs what it was restored to.
func TestABackupOfAMemberRunsAsANewCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	old := running(t)
	hc := &http.Client{Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	const keys = 60
	for i := range keys {
		if err := put(ctx, hc, old, i%3, fmt.Sprintf("k%d", i), fmt.Sprintf("v%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	// The leader has all that was acknowledged in its log.
	lead := old.Leader(ctx)
	if lead < 0 {
		t.Fatal("nobody leads")
	}
	if _, err := archive.Inspect(old.DataDir(lead)); err == nil {
		t.Error("the directory of a running node was inspected")
	}
	old.KillAll()

	dir := keptDir(t)
	file := filepath.Join(dir, "backup")
	m, err := archive.Backup(old.DataDir(lead), file, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := archive.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := New(Options{Binary: binary(t), Dir: dir, Members: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := archive.Restore(contents, alone.DataDir(0), archive.RestoreOptions{Name: "n1", Draw: rand.Uint64}); err != nil {
		t.Fatal(err)
	}
	if err := alone.StartAll(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		var a answer
		err := alone.get(ctx, 0, fmt.Sprintf("/v2/keys/k%d?quorum=true", i), &a)
		if err != nil || a.Node == nil || a.Node.Value == nil || *a.Node.Value != fmt.Sprintf("v%d", i) {
			t.Fatalf("key %d: %+v, %v", i, a, err)
		}
	}
	if err := put(ctx, hc, alone, 0, "more", "x"); err != nil {
		t.Error(err)
	}
	var a answer
	if err := alone.get(ctx, 0, "/v2/keys/more", &a); err != nil || a.Node == nil || a.Node.Modified != m.EtcdIndex+1 {
		t.Errorf("%+v, %v: the backup is at index %d", a, err, m.EtcdIndex)
	}
	if err := alone.Stop(0); err != nil {
		t.Error(err)
	}
}

// answer is what these tests read of a body.
type answer struct {
	Node *struct {
		Value    *string `json:"value"`
		Modified uint64  `json:"modifiedIndex"`
	} `json:"node"`
}
