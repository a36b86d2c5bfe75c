// Package report turns what came of runs into files for people and for other
// programs: a page that shows what went wrong, a trace for timeline viewers,
// JUnit's XML, and annotations for GitHub.
//
// Invariants:
//
//   - A page is one file that asks nobody for anything: no script, font, image
//     or style comes from elsewhere.
//   - A page says what went wrong, and how to repeat it, without a script. The
//     script adds the timeline.
//   - A page has a bound (see the Max constants), whatever the run's length; of
//     a long run it shows the failing part, and says so.
//   - Every text of a run is escaped where it enters a file.
//
// Files: page.go (what a page says), data.go (what its script draws), html.go
// (the page itself: page.html, page.css, page.js), chrome.go (Chrome's trace
// format), junit.go, github.go.
package report
