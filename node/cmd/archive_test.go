package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/cmd"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/ui"
	"drydock/node/world"
)

// codeFile is where the program under test leaves its exit code, in the script's
// directory.
const codeFile = "exit-code"

// TestMain lets the test binary be the program, with the commands for data
// directories.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"drydock": func() {
		env := ui.OSEnv()
		root := &cobra.Command{Use: "drydock", SilenceUsage: true, SilenceErrors: true}
		root.SetArgs(env.Args)
		root.SetOut(env.Stdout)
		group := &cobra.Command{Use: "node"}
		group.AddCommand(cmd.Inspect(env), cmd.Backup(env), cmd.Restore(env))
		root.AddCommand(group)
		err := root.ExecuteContext(context.Background())
		if err != nil && err.Error() != "" {
			fmt.Fprintln(env.Stderr, err)
		}
		file := filepath.Join(os.Getenv("WORK"), codeFile)
		if err := os.WriteFile(file, []byte(fmt.Sprint(ui.Code(err))), 0o600); err != nil {
			panic(err)
		}
	}})
}

func TestArchiveScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/archive",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// code N runs drydock and wants the exit code N.
			"code": wantCode,
			// grow DIR N makes a data directory and writes N keys into it.
			"grow": grow,
			// flip FILE OFFSET changes a byte.
			"flip": flip,
			// hold DIR locks a data directory until the script ends.
			"hold": hold,
		},
	})
}

func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N arguments of drydock")
	}
	if err := ts.Exec("drydock", args[1:]...); err != nil {
		ts.Fatalf("drydock: %v", err)
	}
	if got := ts.ReadFile(filepath.Join(ts.Getenv("WORK"), codeFile)); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// alone is the peers of a sole member.
type alone struct{}

func (alone) Send(world.MemberID, []byte) {}

func grow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grow DIR N")
	}
	dir := ts.MkAbs(args[0])
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	cfg := node.Config{Cluster: 0xc1, ID: 0x7a, Name: "n1", SegmentBytes: 1 << 20}
	m := state.Member{ID: cfg.ID, Name: cfg.Name, PeerURLs: []string{"http://127.0.0.1:2380"}}
	disk, err := host.OpenDisk(dir)
	ts.Check(err)
	ts.Check(host.WriteIdentity(dir, host.Identity{Cluster: cfg.Cluster, ID: cfg.ID, Name: cfg.Name}))
	ts.Check(node.Found(disk, cfg, checkpoint.Store{}, []state.Member{m}))
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: alone{}})
	ts.Check(err)
	for i := range n {
		c, resp := api.Decode(&api.Request{
			Method: "PUT", Target: fmt.Sprintf("/v2/keys/k%d", i), Body: []byte("value=v"),
			ContentType: "application/x-www-form-urlencoded",
		})
		if resp != nil {
			ts.Fatalf("answered %d at once", resp.Status)
		}
		if a := h.Do(context.Background(), &c); a.Status != consensus.Done {
			ts.Fatalf("write %d: %v", i, a.Status)
		}
	}
	ts.Check(errors.Join(h.Stop(), disk.Close()))
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold DIR")
	}
	disk, err := host.OpenDisk(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { _ = disk.Close() })
}
