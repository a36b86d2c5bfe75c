package fleetctl

import (
	"os"
	"strings"
	"testing"
)

// TestArticle: the lists of the transcript look as they were printed in March 2014, on
// a terminal with tabs of eight columns.
func TestArticle(t *testing.T) {
	text, err := os.ReadFile("testdata/golden/article.txt")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| "); ok {
			shown.WriteString(expand(rest))
		}
	}
	for _, printed := range []string{
		`MACHINE         IP              METADATA
`, `deb19cd2...     192.168.2.53    -
`, `960a9f62...     192.168.2.52    -
`, `UNIT            LOAD    ACTIVE  SUB     DESC    MACHINE
hello.service   -       -       -       MyApp   -
`, `UNIT            LOAD    ACTIVE  SUB     DESC    MACHINE
hello.service   loaded  active  running MyApp   960a9f62.../192.168.2.52
UNIT            LOAD    ACTIVE  SUB     DESC    MACHINE
hello.service   -       -       -       MyApp   -
UNIT                    LOAD    ACTIVE  SUB     DESC                    MACHINE
apache.1.service        -       -       -       My Apache Frontend      -
apache.2.service        -       -       -       My Apache Frontend      -
hello.service           -       -       -       MyApp                   -
UNIT                    LOAD    ACTIVE  SUB     DESC                    MACHINE
apache.1.service        loaded  active  running My Apache Frontend      960a9f62.../192.168.2.52
apache.2.service        loaded  active  running My Apache Frontend      deb19cd2.../192.168.2.53
`,
	} {
		if !strings.Contains(shown.String(), printed) {
			t.Errorf("not shown:\n%s\nbut:\n%s", printed, shown.String())
		}
	}
}

// expand turns tabs into blanks, up to the next column that eight divides.
func expand(line string) string {
	var b strings.Builder
	column := 0
	for _, r := range line {
		b.WriteString(map[bool]string{true: strings.Repeat(" ", 8-column%8), false: string(r)}[r == '\t'])
		column++
		if r == '\t' {
			column = (column + 7) / 8 * 8
		}
	}
	return b.String()
}
