package runner

import (
	"strings"

	"drydock/scenarios/checker"
)

// Failure says in what way a run is violated: the expectation that is, and
// for those that every run has, what happened, without its numbers.
func (r *Report) Failure() string {
	f := r.Worst()
	if f == nil || f.Status != checker.Violated {
		return ""
	}
	return failureText(f)
}

func failureText(f *Finding) string {
	kind, _, bound := strings.Cut(f.Expect, ":")
	if bound || !strings.Contains(f.Expect, " ") {
		return kind
	}
	return f.Expect + ": " + shapeOf(f.Measured)
}

// shapeOf is a text without digits and what is in quotes, so that the same
// panic at another index is the same.
func shapeOf(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	var b strings.Builder
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 0 {
			b.WriteString(part)
		}
	}
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, b.String())
}

// Fails returns the finding that is violated in that way, as Failure says it;
// nil if none is.
func (r *Report) Fails(way string) *Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Status == checker.Violated && failureText(f) == way {
			return f
		}
	}
	return nil
}
