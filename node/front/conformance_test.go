package front_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/node/front"
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

// session is a run of the replay.
type session struct {
	name string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// replays runs several at a time: what takes long in them is waiting.
type replays struct {
	runner, cases string
	all           []*session
}

func (p *replays) begin(t *testing.T, name string, args ...string) {
	t.Helper()
	args = append([]string{"-cases", p.cases, "-strict"}, args...)
	s := &session{name: name, cmd: exec.CommandContext(t.Context(), p.runner, args...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.all = append(p.all, s)
}

func (p *replays) finish(t *testing.T) {
	for _, s := range p.all {
		err := s.cmd.Wait()
		t.Run(s.name, func(t *testing.T) {
			t.Logf("%s", &s.out)
			if err != nil {
				// The replay counts a stream's events when it gets to look: on a crowded
				// computer more have come by then than when etcd was recorded. What is
				// wrong is so once more, alone.
				s.out.Reset()
				again := exec.CommandContext(t.Context(), s.cmd.Path, s.cmd.Args[1:]...)
				again.Stdout, again.Stderr = &s.out, &s.out
				err = again.Run()
				t.Logf("once more:\n%s", &s.out)
			}
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(s.out.String(), "cases: 0 passed") {
				t.Error("no case was played")
			}
		})
	}
}

// differ are the cases that this server answers otherwise; all of them are tagged
// as accidents of etcd's. Package api says why.
const differ = "^(dirs-root-cad|stats-store-failures|watch-stream-past)$"

// hold are the other accidents, which clients may rely on.
const hold = "^(err-bad-form|keys-path-cleaning|keys-value-invalid-utf8|watch-with-quorum)$"

// TestRecordedConversations plays what was recorded from etcd 3.4.
func TestRecordedConversations(t *testing.T) {
	t.Parallel()
	var p replays
	p.runner, p.cases = replay(t)
	p.noLeader(t)
	p.cluster(t)
	p.restart(t)
	for name, args := range map[string][]string{
		"ttl of directories": {"-run", "^ttl-(dir|child)", "-skip-tags", "quirk"},
		"ttl of files":       {"-run", "^ttl-[^dc]", "-skip-tags", "quirk"},
		"watches":            {"-tags", "watch,clients", "-skip-tags", "quirk"},
		"accidents":          {"-run", hold},
		// Auth has cases of its own, where its users are.
		"others": {"-skip-tags", "quirk,auth,ttl,watch,clients"},
	} {
		p.begin(t, name, append(args, "-endpoint", serve(t, front.Options{}).url)...)
		p.begin(t, name+" by net/http", append(args, "-endpoint", serve(t, front.Options{OnlyNetHTTP: true}).url)...)
	}
	p.finish(t)
}

// TestAccidentsOfEtcd keeps the list of what differs honest.
func TestAccidentsOfEtcd(t *testing.T) {
	t.Parallel()
	runner, cases := replay(t)
	url := cluster(t, 1, nil)[0].url
	for name := range strings.SplitSeq(strings.Trim(differ, "^()$"), "|") {
		out, err := exec.CommandContext(t.Context(), runner, "-cases", cases, "-endpoint", url, "-tags", "quirk", "-run", "^"+name+"$").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "cases: 0 passed, 1 failed") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func (p *replays) restart(t *testing.T) {
	x := cluster(t, 1, nil)[0]
	restart := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		x.stop()
		x.start()
	}))
	t.Cleanup(restart.Close)
	command := fmt.Sprintf("%s=%s %s", restartVariable, restart.URL, os.Args[0])
	p.begin(t, "restart", "-endpoint", x.url, "-restart-cmd", command, "-tags", "restart")
}

func (p *replays) cluster(t *testing.T) {
	all := cluster(t, 3, nil)
	p.begin(t, "cluster", "-cluster", all[0].url+","+all[1].url+","+all[2].url, "-tags", "cluster")
}

func (p *replays) noLeader(t *testing.T) {
	all := cluster(t, 3, func(x *member) { x.cfg.RequestTimeout = 2 * time.Second })
	if code, body := ask(t, "PUT", all[0].url+"/v2/keys/noleader-seed", "value=seed"); code != 201 {
		t.Fatal(code, body)
	}
	await(t, "all have the seed", func() bool {
		code := 0
		for _, x := range all {
			if c, _ := ask(t, "GET", x.url+"/v2/keys/noleader-seed", ""); c == 200 {
				code++
			}
		}
		return code == len(all)
	})
	all[1].stop()
	all[2].stop()
	await(t, "the survivor knows no leader", func() bool {
		code, _ := ask(t, "GET", all[0].url+"/v2/members/leader", "")
		return code == 503
	})
	p.begin(t, "noleader", "-noleader", all[0].url, "-tags", "noleader")
}
