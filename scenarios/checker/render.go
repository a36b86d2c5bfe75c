package checker

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"drydock/sim/history"
)

// itemsShown bounds how many children of a listing a line shows.
const itemsShown = 6

// Render writes a violation for people: a head line, the reason, and the
// smallest history, one operation a line with times in seconds. It writes
// nothing for a verdict without a violation.
func Render(w io.Writer, v Verdict) error {
	if v.Violation == nil {
		return nil
	}
	bad := v.Violation
	head := "VIOLATED   " + v.Check
	if bad.Key != "" {
		head += ": " + bad.Key
	}
	if n := len(bad.Ops); n > 0 {
		head += fmt.Sprintf(", smallest history, %d of %d operations", n, v.Ops)
	}
	if _, err := fmt.Fprintf(w, "%s\n  %s\n", head, bad.Why); err != nil {
		return err
	}
	clock := Seconds
	if counted(bad.Ops) {
		clock = func(at int64) string { return strconv.FormatInt(at, 10) }
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range bad.Ops {
		op := &bad.Ops[i]
		line := fmt.Sprintf("  %s\t%s\t%s\t%s", op.Client, Ask(op), span(op, clock), Answer(op))
		if note := bad.Notes[op.ID]; note != "" {
			line += "\t<- " + note
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Ask says what an operation asks for: "cas /a 1 -> 2".
func Ask(op *history.Op) string {
	var b strings.Builder
	b.WriteString(string(op.Kind))
	if op.Key != "" {
		b.WriteString(" " + op.Key)
	}
	var old []string
	if op.PrevValue != nil {
		old = append(old, quote(*op.PrevValue))
	}
	if op.PrevIndex != 0 {
		old = append(old, fmt.Sprintf("index %d", op.PrevIndex))
	}
	if len(old) > 0 {
		b.WriteString(" if " + strings.Join(old, " and "))
	}
	switch op.Kind {
	case history.Put, history.Create, history.Update, history.CAS, history.RegWrite:
		b.WriteString(" = " + quote(op.Value))
	case history.Append, history.Enqueue:
		b.WriteString(" + " + quote(op.Value))
	}
	if op.Stale {
		b.WriteString(" (stale)")
	}
	return b.String()
}

// Answer says what came back: `"1", revision 7`.
func Answer(op *history.Op) string {
	var parts []string
	switch {
	case op.Status == history.Unknown && op.Settled == history.SettledApplied:
		parts = append(parts, fmt.Sprintf("no answer, found in the log at revision %d", op.SettledRevision))
	case op.Status == history.Unknown:
		parts = append(parts, "no answer")
	case op.Status == history.Refused:
		parts = append(parts, "refused")
	case op.Code != 0:
		parts = append(parts, codeName(op.Code))
	case op.Kind == history.Expire:
		parts = append(parts, "removed as its time to live is over")
	case op.Kind.Reads() || op.Kind == history.Dequeue:
		parts = append(parts, read(op))
	case op.Out != nil:
		parts = append(parts, "ok, was "+quote(*op.Out))
	default:
		parts = append(parts, "ok")
	}
	if op.Revision != 0 {
		parts = append(parts, fmt.Sprintf("revision %d", op.Revision))
	}
	return strings.Join(parts, ", ")
}

func read(op *history.Op) string {
	if op.Items == nil && op.Kind != history.List {
		if op.Out == nil {
			return "nothing"
		}
		return quote(*op.Out)
	}
	var values []string
	for i := range op.Items {
		if i == itemsShown {
			values = append(values, fmt.Sprintf("%d more", len(op.Items)-i))
			break
		}
		values = append(values, quote(op.Items[i].Value))
	}
	return "[" + strings.Join(values, " ") + "]"
}

func codeName(code int) string {
	names := map[int]string{
		100: "not found", 101: "compare failed", 102: "not a file",
		104: "not a directory", 105: "exists", 107: "root is read only",
	}
	if name, ok := names[code]; ok {
		return fmt.Sprintf("%s (%d)", name, code)
	}
	return fmt.Sprintf("code %d", code)
}

// quote leaves plain words as they are, so that 92 reads 92.
func quote(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", s[:32], len(s))
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// counted says that the times are numbers of steps or of lines: all of them lie
// in a run's first millisecond.
func counted(ops []history.Op) bool {
	return !slices.ContainsFunc(ops, func(op history.Op) bool {
		return op.Call >= 1_000_000 || op.Return >= 1_000_000
	})
}

func span(op *history.Op, clock func(int64) string) string {
	if op.Return == 0 {
		return clock(op.Call) + " -"
	}
	return clock(op.Call) + " - " + clock(op.Return)
}

// Seconds shows a run time in seconds to the millisecond.
func Seconds(ns int64) string {
	return fmt.Sprintf("%d.%03d", ns/1_000_000_000, ns/1_000_000%1000)
}

// Count writes a number of things, "1 vote" or "2 votes".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
