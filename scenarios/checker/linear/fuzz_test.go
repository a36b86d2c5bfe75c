package linear

import (
	"bytes"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// FuzzCheck: whatever a history file says, every model has a verdict, and a
// violation has operations to show.
func FuzzCheck(f *testing.F) {
	for _, tc := range verdicts {
		var file bytes.Buffer
		if err := history.Write(&file, parse(f, tc.history)); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		ops, err := history.Read(bytes.NewReader(file), "h")
		if err != nil || len(ops) > 30 {
			return
		}
		for _, m := range Models() {
			if Fits(m, ops) != nil {
				continue
			}
			v := Check(ops, Options{Model: m, Timeout: time.Second})
			if (v.Status == checker.Violated) != (v.Violation != nil && len(v.Violation.Ops) > 0) {
				t.Fatalf("%s: %s with %+v", m, v.Status, v.Violation)
			}
			if err := checker.Render(&bytes.Buffer{}, v); err != nil {
				t.Fatal(err)
			}
		}
		Stale(ops, StaleOptions{Monotone: true})
	})
}
