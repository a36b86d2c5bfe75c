package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/sim/history"
)

// recordedConfig crashes a leader and cuts another off.
func recordedConfig() Config {
	cfg := testConfig(2, 3)
	cfg.Duration, cfg.HealAt = 8*time.Second, 6*time.Second
	cfg.Plan = chaos.Plan{Steps: []chaos.Step{
		{At: 2 * time.Second, AtSet: true, Fault: &chaos.Crash{Node: chaos.Selectors{chaos.Leader}, LoseUnsynced: true, RestartAfter: time.Second}},
		{At: 4 * time.Second, AtSet: true, For: time.Second, Fault: &chaos.Pause{Node: chaos.Selectors{chaos.Leader}}},
	}}
	return cfg
}

func TestRecordingChangesNothing(t *testing.T) {
	cfg := recordedConfig()
	quiet := cfg
	quiet.Quiet = true
	want := run(t, quiet)
	cfg.Record = &history.Window{Until: cfg.Duration, Max: 100}
	got := run(t, cfg)
	if got.Trace != want.Trace || got.Events != want.Events {
		t.Errorf("%d events, trace %s when recorded; %d, %s when not", got.Events, got.Trace, want.Events, want.Trace)
	}
	if r := want.Recording; len(r.States)+len(r.Bands)+len(r.Messages)+len(r.Jobs) > 0 {
		t.Errorf("a quiet run recorded %+v", r)
	}
}

func TestRecordingShowsLivesAndFaults(t *testing.T) {
	r := run(t, recordedConfig()).Recording
	seen := map[history.Health]int{}
	leads := 0
	last := map[string]history.State{}
	for i, s := range r.States {
		seen[s.Health]++
		if s.Leads {
			leads++
			if s.Term == 0 || s.Lead != s.Node || s.Health == history.HealthDown {
				t.Errorf("a leader of nothing: %+v", s)
			}
		}
		if i > 0 && s.Time < r.States[i-1].Time {
			t.Errorf("%+v comes after %+v", s, r.States[i-1])
		}
		last[s.Node] = s
	}
	for _, h := range []history.Health{history.HealthUp, history.HealthDown, history.HealthBooting, history.HealthPaused} {
		if seen[h] == 0 {
			t.Errorf("nobody was ever %s", h)
		}
	}
	if leads < 3 || last["n1"].Applied == 0 || last["n1"].Health != history.HealthUp {
		t.Errorf("%d times somebody led, n1 ended as %+v", leads, last["n1"])
	}
	if len(r.Bands) != 3 || r.Bands[0].End != r.Bands[0].Time || r.Bands[2].End-r.Bands[2].Time != int64(time.Second) {
		t.Errorf("want a crash, a restart and a pause of a second: %+v", r.Bands)
	}
	if len(r.Messages)+len(r.Jobs) > 0 {
		t.Errorf("nobody asked for %d messages and %d jobs", len(r.Messages), len(r.Jobs))
	}
}

func TestRecordingKeepsTheLatestOfTheWindow(t *testing.T) {
	cfg := recordedConfig()
	window := history.Window{From: 1900 * time.Millisecond, Until: 2100 * time.Millisecond, Max: 50}
	cfg.Record = &window
	r := run(t, cfg).Recording
	if len(r.Messages) != window.Max || len(r.Jobs) == 0 || len(r.Jobs) > window.Max {
		t.Fatalf("%d messages, %d jobs", len(r.Messages), len(r.Jobs))
	}
	lost, appends := 0, 0
	for i, m := range r.Messages {
		if m.Sent < int64(window.From) || m.Sent > int64(window.Until) || i > 0 && m.Sent < r.Messages[i-1].Sent {
			t.Errorf("message %d out of place: %+v", i, m)
		}
		if m.Lost == (m.Arrived > 0) {
			t.Errorf("lost, or arrived: %+v", m)
		}
		if m.Lost {
			lost++
		} else if m.Arrived <= m.Sent {
			t.Errorf("arrived before it was sent: %+v", m)
		}
		if strings.HasPrefix(m.Text, "App") {
			appends++
		}
	}
	if appends == 0 || lost == len(r.Messages) {
		t.Errorf("%d of %d are appends, %d were lost", appends, len(r.Messages), lost)
	}
	window.Max = 10_000
	all := run(t, cfg).Recording.Messages
	if len(all) <= 50 {
		t.Fatalf("only %d messages in all", len(all))
	}
	if diff := cmp.Diff(all[len(all)-50:], r.Messages); diff != "" {
		t.Errorf("not the latest (-want +got):\n%s", diff)
	}
}
