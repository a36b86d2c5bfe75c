// Package report holds what a run of the benchmarks came to, as one file: the machine,
// the settings, the floors, and each kind's own results. It compares two such files,
// sums one up, and draws it as a page.
//
// A figure of one run says little about another run: hours lie between them, and the
// machine's neighbours have changed. So a comparison first holds the two machines and
// settings against each other, and refuses to judge figures that differ in either. What
// it does judge has readings of rounds on both sides, and an interval that holds 1 is
// no difference. Figures of the other system and of the machine itself are controls:
// they say whether the machine was the same, and nothing about the product.
//
// Invariants:
//
//   - Encode and Decode are each other's inverse, and Decode refuses a file of
//     another schema.
//   - Nothing is judged that has fewer readings than pairs.Least on either side, but
//     figures that have no spread, as the outcome of a replay.
//   - The page is one file without scripts, and the same bytes of the same file.
//
// Files: file.go (the file), machine.go (the machine), figures.go and figures_core.go
// (the numbers in it), compare.go and compare_text.go, summary.go (the headlines),
// page.go with page.html and page.css (the page), chart.go (its drawings), page_kv.go,
// page_core.go and page_facts.go (what they show).
package report
