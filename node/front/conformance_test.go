package front_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// restartVariable tells a copy of the test program, run by the replay, whom to ask
// for a restart.
const restartVariable = "DRYDOCK_TEST_RESTART"

// helper does what this program is run for by the replay, if it is.
func helper() bool {
	url := os.Getenv(restartVariable)
	if url == "" {
		return false
	}
	resp, err := http.Post(url, "", nil)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	return true
}

// replay builds the runner of the recorded conversations, which are not part of
// this repository; without them there is nothing to test against.
func replay(t *testing.T) (runner, cases string) {
	t.Helper()
	if testing.Short() {
		t.Skip("replaying takes a while")
	}
	dir := os.Getenv("DRYDOCK_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance", "etcd-v2")
	}
	if _, err := os.Stat(filepath.Join(dir, "replay", "main.go")); err != nil {
		t.Skipf("no recorded conversations (DRYDOCK_CONFORMANCE names their folder): %v", err)
	}
	runner = filepath.Join(t.TempDir(), "replay")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", runner, ".")
	build.Dir = filepath.Join(dir, "replay")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the replay: %v\n%s", err, out)
	}
	cases, err := filepath.Abs(filepath.Join(dir, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	return runner, cases
}

func run(t *testing.T, runner, cases string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{"-cases", cases, "-strict"}, args...)
	out, err := exec.CommandContext(ctx, runner, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	t.Logf("%s", out)
}

// TestRecordedConversations plays what was recorded from etcd 3.4.
func TestRecordedConversations(t *testing.T) {
	runner, cases := replay(t)
	alone := func(name string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := cluster(t, 1, nil)[0]
			run(t, runner, cases, append([]string{"-endpoint", x.url}, args...)...)
		})
	}
	alone("ttl", "-tags", "ttl", "-skip-tags", "quirk")
	alone("watch", "-tags", "watch,clients", "-skip-tags", "quirk")
	// Auth has cases of its own, where its users are.
	alone("rest", "-skip-tags", "quirk,auth,ttl,watch,clients")
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		x := cluster(t, 1, nil)[0]
		restart := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			x.stop()
			x.start()
		}))
		t.Cleanup(restart.Close)
		command := fmt.Sprintf("%s=%s %s", restartVariable, restart.URL, os.Args[0])
		run(t, runner, cases, "-endpoint", x.url, "-restart-cmd", command, "-tags", "restart")
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		all := cluster(t, 3, nil)
		settled(t, all)
		run(t, runner, cases, "-cluster", all[0].url+","+all[1].url+","+all[2].url, "-tags", "cluster")
	})
	t.Run("noleader", func(t *testing.T) {
		t.Parallel()
		all := cluster(t, 3, nil)
		settled(t, all)
		if code, body := ask(t, "PUT", all[0].url+"/v2/keys/noleader-seed", "value=seed"); code != 201 {
			t.Fatal(code, body)
		}
		await(t, "all have the seed", func() bool {
			for _, x := range all {
				if code, _ := ask(t, "GET", x.url+"/v2/keys/noleader-seed", ""); code != 200 {
					return false
				}
			}
			return true
		})
		all[1].stop()
		all[2].stop()
		await(t, "the survivor knows no leader", func() bool {
			code, _ := ask(t, "GET", all[0].url+"/v2/members/leader", "")
			return code == 503
		})
		run(t, runner, cases, "-noleader", all[0].url, "-tags", "noleader")
	})
}
