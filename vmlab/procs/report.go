package procs

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"drydock/node/ui"
	"drydock/scenarios/checker"
)

// Held says whether nothing is wrong and every checker could say so.
func (r *Result) Held() bool {
	for _, v := range r.Verdicts {
		if v.Status != checker.Held {
			return false
		}
	}
	return len(r.Problems) == 0
}

// Text writes the result for people: what was done, what was found, and for a
// violation the evidence.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "procs   seed %d   %.1fs   %d operations: %d answered, %d refused, %d unknown; nobody answered for %.3fs from %.3fs on (the machine stood still for %.3fs)\n",
		r.Seed, r.Took.Seconds(), r.Answered+r.Refused+r.Unknown, r.Answered, r.Refused, r.Unknown, r.Silence.Seconds(), r.SilentFrom.Seconds(), r.Stalled.Seconds())
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, r.Kinds[kind]))
	}
	fmt.Fprintf(&b, "injected   %s\n\n", strings.Join(kinds, "  "))
	t := ui.NewTable(&b)
	for _, v := range r.Verdicts {
		word := "  ok"
		switch v.Status {
		case checker.Violated:
			word = "  VIOLATED"
		case checker.Unknown:
			word = "  unknown"
		}
		t.Row(word, v.Check, v.Summary)
	}
	for _, text := range r.Problems {
		t.Row("  VIOLATED", text)
	}
	t.Flush()
	if !r.Held() {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(r.Strikes, "\n"))
		for _, v := range r.Verdicts {
			if v.Violation != nil {
				b.WriteString("\n")
				if err := checker.Render(&b, v); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(&b, "\nhistory   %s   judge it again with: drydock check %s\n", r.History, r.History)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
