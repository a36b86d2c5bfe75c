package consensus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/host"
)

// TestMain plays the other library's program when it is called as such.
func TestMain(m *testing.M) {
	if answer, ok := os.LookupEnv("CONSENSUS_PEER"); ok {
		fmt.Println(answer)
		return
	}
	goleak.VerifyTestMain(m)
}

func newRun(t *testing.T, cases ...Case) *Run {
	return &Run{
		Cases: cases, Rounds: 2, Seed: 3, Dir: t.TempDir(), Progress: func(int, int, Case) {},
		Times:   Times{Warm: 10 * time.Millisecond, Round: 60 * time.Millisecond},
		segment: 1 << 20,
		Timers:  Timers{Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond},
	}
}

func TestRunMeasuresEveryKindOfWork(t *testing.T) {
	cases := []Case{
		{Own, Core, 1, Memory, Process, 1, 64},
		{Own, Core, 3, Disk, Process, 64, 256},
		{Own, Apply, 3, Memory, Process, 16, 64},
		{Own, Write, 3, Memory, Process, 8, 64},
		{Own, Write, 3, Disk, TCP, 8, 64},
		{Own, Read, 3, Disk, TCP, 8, 64},
	}
	rows, err := newRun(t, cases...).Measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if row.Case != cases[i] || len(row.Rounds) != 2 {
			t.Fatalf("row %d: %s with %d rounds", i, row.Case, len(row.Rounds))
		}
		for _, s := range row.Rounds {
			if s.Operations < 1 || s.Rate <= 0 || s.CPU <= 0 || s.P50 <= 0 || s.P99 < s.P50 || s.P999 < s.P99 {
				t.Errorf("%s: %+v", row.Case, s)
			}
			if (s.Frames > 0) != (row.Members > 1) {
				t.Errorf("%s: %v frames an operation", row.Case, s.Frames)
			}
			if row.Storage == Disk && row.Work != Read && s.Syncs < 0.01 {
				t.Errorf("%s: %v syncs an operation", row.Case, s.Syncs)
			}
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := newRun(t, Case{Own, Write, 1, Memory, Process, 4, 64})
	r.Times.Round = time.Hour
	r.Progress = func(int, int, Case) { time.AfterFunc(50*time.Millisecond, stop) }
	rows, err := r.Measure(ctx)
	if !errors.Is(err, context.Canceled) || len(rows) != 1 || len(rows[0].Rounds) != 0 {
		t.Errorf("%v, %+v", err, rows)
	}
}

func TestBatchThatIsNotCommittedWholeIsRefused(t *testing.T) {
	l, err := newCores(3, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := commands(64)
	if err := l.batch(list, 10); err != nil {
		t.Fatal(err)
	}
	if err := l.agree(); err != nil {
		t.Error(err)
	}
	l.seen[2]--
	if err := l.agree(); err == nil || !strings.Contains(err.Error(), "member 3") {
		t.Errorf("a member lacks a byte: %v", err)
	}
	if err := l.batch(list, 10); err == nil || !strings.Contains(err.Error(), "member 3") {
		t.Errorf("a member lacks a byte: %v", err)
	}
}

func TestFailover(t *testing.T) {
	r := newRun(t)
	for _, c := range []Case{{Own, Write, 3, Memory, Process, 0, 0}, {Own, Write, 3, Disk, TCP, 0, 0}} {
		for _, ending := range []Ending{Crash, Handover} {
			f, err := r.Failover(t.Context(), c, ending, 2, func(int) {})
			if err != nil {
				t.Fatalf("%s, %s: %v", c, ending, err)
			}
			if len(f.Gaps) != 2 || len(f.Terms) != 2 || f.Terms[0] < 1 || f.Quantile(0) <= 0 || f.Quantile(1) < f.Quantile(0.5) {
				t.Errorf("%s: %+v", c, f)
			}
		}
	}
}

func TestMembersThatDifferAreNoticed(t *testing.T) {
	r := newRun(t)
	cl, err := r.startCluster(t.Context(), Case{Own, Write, 3, Memory, Process, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cl.close(); err != nil {
			t.Error(err)
		}
	}()
	lead := cl.leader()
	var cut *member
	for _, m := range cl.members {
		if m != lead {
			cut = m
		}
	}
	cut.link.cut.Store(true)
	put := writeCall(1, "x")
	if err := do(t.Context(), lead.host.Load(), &put); err != nil {
		t.Fatal(err)
	}
	if err := cl.agree(); err == nil {
		t.Error("a member without the last write agrees with the others")
	}
	if err := cut.stop(); err != nil && !errors.Is(err, host.ErrStopped) {
		t.Error(err)
	}
	// The third may learn a moment later that the write is committed.
	err = poll(t.Context(), "agree to tell of a member that has stopped", 5*time.Second, func() bool {
		err := cl.agree()
		return err != nil && strings.Contains(err.Error(), "stopped")
	})
	if err != nil {
		t.Error(err, cl.agree())
	}
}

func TestPeer(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ answer, want string }{
		{`{"operations":10,"rate":5,"cpuMicros":2,"syncs":1}`, ""},
		{`{"operations":10,"rate":5,"cpuMicros":2,"syncs":0.001}`, "came before their syncs"},
		{`{"operations":0}`, "nothing was committed"},
		{`nonsense`, "its answer"},
		{``, "its answer"},
	}
	for _, tt := range tests {
		t.Setenv("CONSENSUS_PEER", tt.answer)
		r := newRun(t, Case{Peer, Write, 3, Disk, Process, 8, 64})
		r.Rounds, r.PeerProgram = 1, program
		rows, err := r.Measure(t.Context())
		switch {
		case tt.want == "" && (err != nil || rows[0].Rounds[0].CPU != 2):
			t.Errorf("%s: %v", tt.answer, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %q", tt.answer, err, tt.want)
		}
	}
}

func TestPeerThatIsNotThere(t *testing.T) {
	r := newRun(t, Case{Peer, Write, 3, Disk, Process, 8, 64})
	r.PeerProgram = r.Dir + "/none"
	if _, err := r.Measure(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if got := lastLine("one\nno disk here\n\n"); got != "no disk here" {
		t.Errorf("the last line is %q", got)
	}
}
