package lab

import (
	"slices"
	"testing"
)

// TestMountsWithSpaces: the kernel escapes what would end a field.
func TestMountsWithSpaces(t *testing.T) {
	const text = `22 1 0:20 / / rw - ext4 /dev/vda rw
36 22 0:30 / /srv/my\040labs/dev/machines rw,relatime - tmpfs tmpfs rw
37 22 0:31 / /srv/my\040labs/dev\134x rw - tmpfs tmpfs rw
38 22 0:32 / /srv/my\040labs/development rw - tmpfs tmpfs rw
`
	for dir, want := range map[string][]string{
		"/srv/my labs/dev":     {"/srv/my labs/dev/machines"},
		`/srv/my labs/dev\x`:   {`/srv/my labs/dev\x`},
		"/srv/my labs/devel":   nil,
		"/srv/my labs/nothing": nil,
	} {
		if got := mountsIn(text, dir); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}
