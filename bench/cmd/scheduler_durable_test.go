package cmd

import (
	"encoding/json"
	"strings"
	"testing"

	"drydock/bench/fleetload"
	"drydock/node/ui"
)

func TestSchedulerThroughMembers(t *testing.T) {
	t.Parallel()
	args := []string{
		"--durable", "--quick", "--storage=memory", "--durable-machines=5", "--durable-units=100", "--submitters=10",
		"--increments=3", "--losses=1", "--rest=100ms", "--dir=" + t.TempDir(),
	}
	out, code, err := benchScheduler(t.Context(), t, args...)
	if err != nil || code != ui.Held {
		t.Fatalf("exit %d, %v", code, err)
	}
	for _, want := range []string{"through 3 members, logs in memory", "5 machines with leases, 100 units", "\none by one: a place for every unit, committed", "\nas replicas of templates", "\nat rest"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _, err = benchScheduler(t.Context(), t, append(args, "--json")...)
	var line struct{ Durable fleetload.Result }
	if err != nil || json.Unmarshal([]byte(out), &line) != nil || line.Durable.Units != 100 || line.Durable.Fill.Rate <= 0 || line.Durable.Storage != "memory" {
		t.Errorf("%v\n%s", err, out)
	}
	args[len(args)-1] += "/none"
	if _, code, err := benchScheduler(t.Context(), t, append(args, "--storage=disk")...); code != ui.WorldFailed || !strings.Contains(err.Error(), "through three members") {
		t.Errorf("exit %d, %v", code, err)
	}
}
