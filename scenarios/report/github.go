package report

import (
	"fmt"
	"io"
	"strings"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
)

// Bounds of what is told to GitHub: it shows ten annotations a step, and takes
// a megabyte of summary.
const (
	maxAnnotations  = 10
	maxSummaryRows  = 200
	maxSummaryTexts = 5
)

// Annotations writes a workflow command for each run that is not held: an
// error for a violation and for a world that failed, a warning for unknown.
func Annotations(w io.Writer, reports []*runner.Report) error {
	told := 0
	for _, r := range reports {
		if r.Verdict == checker.Held || told == maxAnnotations {
			continue
		}
		told++
		kind := "error"
		if r.Verdict == checker.Unknown && !r.Failed() {
			kind = "warning"
		}
		text := headline(r) + "\nreplay: " + bySeed(r)
		if _, err := fmt.Fprintf(w, "::%s file=%s,line=1,title=%s::%s\n", kind, property(r.File),
			property(fmt.Sprintf("%s, seed %d: %s", r.Scenario, r.Seed, r.Verdict)), message(text)); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// message escapes the text of a workflow command.
func message(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// property escapes a property of a workflow command.
func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(message(s))
}

// Summary writes what runs came to as Markdown, for a step's summary.
func Summary(w io.Writer, reports []*runner.Report) error {
	var b strings.Builder
	count := map[checker.Status]int{}
	for _, r := range reports {
		count[r.Verdict]++
	}
	word := "held"
	if count[checker.Violated] > 0 {
		word = "VIOLATED"
	} else if count[checker.Unknown] > 0 {
		word = "unknown"
	}
	fmt.Fprintf(&b, "### Drydock: %s\n\n%d held, %d violated, %d unknown\n\n", word, count[checker.Held], count[checker.Violated], count[checker.Unknown])
	b.WriteString("| scenario | seeds | verdict | what |\n|---|---|---|---|\n")
	for i, row := range summaryRows(reports) {
		if i == maxSummaryRows {
			b.WriteString("| … | | | |\n")
			break
		}
		b.WriteString(row)
	}
	texts := 0
	for _, r := range reports {
		if r.Verdict != checker.Violated || texts == maxSummaryTexts {
			continue
		}
		texts++
		text := strings.ReplaceAll(evidence(r), "```", "'''")
		fmt.Fprintf(&b, "\n<details><summary>%s, seed %d</summary>\n\n```text\n%s```\n\n</details>\n", cell(r.Scenario), r.Seed, text)
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// summaryRows has a row for each run that is not held, first, and then one for
// the rest of each scenario.
func summaryRows(reports []*runner.Report) []string {
	var bad, good []string
	held, order := map[string]int{}, []string(nil)
	for _, r := range reports {
		if r.Verdict == checker.Held {
			if held[r.Scenario] == 0 {
				order = append(order, r.Scenario)
			}
			held[r.Scenario]++
			continue
		}
		verdict := string(r.Verdict)
		if r.Verdict == checker.Violated {
			verdict = "**VIOLATED**"
		}
		bad = append(bad, fmt.Sprintf("| %s | %d | %s | %s <br>`%s` |\n", cell(r.Scenario), r.Seed, verdict, cell(headline(r)), cell(bySeed(r))))
	}
	for _, name := range order {
		good = append(good, fmt.Sprintf("| %s | %d of them | held | |\n", cell(name), held[name]))
	}
	return append(bad, good...)
}

// cell escapes a text for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "`", "'").Replace(s)
}
