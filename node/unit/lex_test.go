package unit_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	systemd "github.com/coreos/go-systemd/v22/unit"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/unit"
)

// texts are files with what is odd about the format.
var texts = []string{
	"",
	"\n\n",
	"# only a comment",
	"[Unit]",
	"[Unit]\n",
	"[Unit]\nDescription=x",
	"[Unit]\r\nDescription=x\r\n\r\n[Service]\r\nExecStart=/bin/true\r\n",
	"; comment \\\n[Unit]\nDescription=hidden by the comment\n[Service]\nA=b\n",
	"# comment \\ \nstill\n[Unit]\nA=b",
	"[X]\n# comment \\ \nA=hidden\nB=c",
	"[X]\nA=one \\\n  \nB=c",
	"junk\n[Unit]\nA=b",
	"junk [Unit]\nA=b\n",
	"A=b\n[Unit]\nC=d",
	"[Unit]\nA=b\n# comment\nC=d\n;E=f\nG=h # no comment\n",
	"[Unit]\nA=b\n[Service]\nC=d\n[Unit]\nE=f\n",
	"[Unit]\n[Service]\nA=b\n",
	"[X]\n  A  =  b  \n\tC\t=\td\t\n",
	"[X]\nA=\nB=  \nC=\\\n\nD=x",
	"[X]\nA=one \\\n  two \\\n  three\nB=x\n",
	"[X]\nA=one \\\n\nB=x\n",
	"[X]\nA=one \\\n# kept\n two\n",
	"[X]\nA=one\\",
	"[X]\nA=one\\\n",
	"[X]\nA=one\\\n\n\n",
	"[X]\nA=one\\ \nB=two",
	"[X]\nA=b=c=d\n=nameless\nA==\n",
	"[X]\nA=[not a section]\nB [odd]=c\n",
	"[]\nA=b\n",
	"[ X ]\nA=b\n",
	"[X]  \t\nA=b\n",
	"[X] garbage\nA=b\n",
	"[X\nA=b\n",
	"[X",
	"[",
	"[X]\nno assignment\nA=b\n",
	"[X]\nno assignment",
	"[X]\nA\u00a0=\u00a0b\u2003\n\u00a0B=c",
	"\ufeff[X]\nA=b",
	"[X]\nÄ=ö\n",
	"[X]\nA=" + strings.Repeat("a", 2045) + "\nB=c\n",
	"[X]\nA=" + strings.Repeat("a", 2046) + "\nB=c\n",
	"[X]\nA=" + strings.Repeat("a", 3000) + "\\\nB=c\n",
	"# " + strings.Repeat("a", 3000) + "\n[X]\nA=b\n",
}

// compare holds our reading against go-systemd's, which fleet's was.
func compare(t interface {
	Errorf(format string, args ...any)
}, text string,
) {
	ours, err := unit.Lex(text)
	theirs, theirErr := systemd.DeserializeOptions(strings.NewReader(text))
	switch {
	case err == nil && theirErr != nil:
		t.Errorf("%q: read, but go-systemd says %v", text, theirErr)
	case err != nil && theirErr == nil && !stricter(err.Error()):
		t.Errorf("%q: %v, but go-systemd reads it", text, err)
	case err == nil:
		var want []unit.Option
		for _, o := range theirs {
			want = append(want, unit.Option{Section: o.Section, Name: o.Name, Value: o.Value})
		}
		var got []unit.Option
		for _, o := range ours {
			o.Line = 0
			got = append(got, o)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -go-systemd +ours:\n%s", text, diff)
		}
		written, err := io.ReadAll(systemd.Serialize(theirs))
		if err != nil || string(written) != unit.Render(ours) {
			t.Errorf("%q: written %q, but go-systemd writes %q (%v)", text, unit.Render(ours), written, err)
		}
	}
}

// stricter says whether an error is one that only we have, on purpose.
func stricter(err string) bool {
	for _, part := range []string{
		"not UTF-8", "a zero byte", "unit file is too long",
		// Go-systemd sees long lines only where they begin in the right place of
		// its buffer, reads on for the bracket in the lines that follow, and
		// trims blanks off a backslash, which then joins lines when it is written.
		"line too long", "unable to find end of section", "the backslash continues nothing, because",
	} {
		if strings.Contains(err, part) {
			return true
		}
	}
	return false
}

func TestReadsAsGoSystemd(t *testing.T) {
	for _, text := range texts {
		compare(t, text)
	}
}

// TestReadsAsGoSystemdAtRandom builds files of the pieces that matter.
func TestReadsAsGoSystemdAtRandom(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		"[", "]", "=", "\n", "\n", "\n", "\\\n", "\\", "\r\n", " ", "\t", "#", ";", "\"", "A", "B=c", "[X]\n", "[Y]\n",
		"[X-Fleet]\n", "MachineOf=", "\u00a0", "é",
	})
	rapid.Check(t, func(t *rapid.T) {
		compare(t, strings.Join(rapid.SliceOfN(pieces, 0, 40).Draw(t, "pieces"), ""))
	})
}

func FuzzReadsAsGoSystemd(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { compare(t, text) })
}

func TestLexRefuses(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"[X]\n\nA=b\nno assignment\n", `line 4: [X] unexpected newline encountered while parsing option name: "no assignment" (an option is written Name=value)`},
		{"[X]\nlast", `line 2: [X] unexpected newline encountered while parsing option name: "last" (an option is written Name=value)`},
		{"\n[X", `line 2: unable to find end of section (a section's name ends in "]" on the same line)`},
		{"[X]\nA=b\\\nc\n[Y] # z\n", `line 4: [Y] found garbage after section name: "# z" (give a comment its own line)`},
		{"[X]\nA=b\n\nB=\xff\n", "line 4: not UTF-8"},
		{"[X]\nA=\x00\n", "line 2: a zero byte"},
		{"[X]\nA=b\nC=" + strings.Repeat("d", 2046), "line 3: line too long (max 2048 bytes) (end it with a backslash and go on in the next)"},
		{"[X]\nA=b\\\r\nC=d", `line 2: [X] A: the backslash continues nothing, because a blank or a carriage return follows it`},
		{"[X]\n" + strings.Repeat("A=b\n", unit.MaxText/4), "unit file is too long (at most 131072 bytes)"},
	} {
		_, err := unit.Parse("a.service", []byte(tc.text))
		if err == nil || err.Error() != tc.want {
			t.Errorf("%.40q: %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// FuzzParse: nothing panics, a text that was written reads back as itself, and so
// do options.
func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add("a@1.service", []byte(text))
	}
	f.Add("a.timer", []byte("[Timer]\nOnCalendar=daily\n[X-Fleet]\nReplicas=3\nResource=\"gpu=1\" \"x=2.5\"\nMachineMetadata=a<5"))
	f.Add("a.socket", []byte("[Socket]\nListenStream=[::]:80 /run/x %t/y"))
	f.Add("a.service", []byte("[Service]\nExecStart=-@/bin/sh sh -c \"a 'b' \\x41 %i $X ${Y}\" ; /bin/true\nLimitNOFILE=1:2\nRestartSec=1min 3s"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		u, err := unit.Parse(name, text)
		if err != nil {
			return
		}
		_ = u.Fleet().Validate()
		if d, err := u.Define(unit.Facts{Hostname: "h"}); err == nil && d.Service != nil {
			for _, c := range d.Service.Start {
				_ = c.Argv(func(string) (string, bool) { return "a 'b", true })
			}
		}
		// A backslash at the very end is the one thing that a text written anew
		// continues otherwise.
		if bytes.HasSuffix(bytes.TrimSpace(text), []byte(`\`)) {
			return
		}
		again, err := unit.Parse(name, []byte(u.Text()))
		if err != nil || again.Text() != u.Text() || again.Hash() != u.Hash() {
			t.Fatalf("%q became %q: %v", u.Text(), again.Text(), err)
		}
		if diff := cmp.Diff(u.Fleet(), again.Fleet()); diff != "" {
			t.Fatal(diff)
		}
		made, err := unit.FromOptions(name, u.Options())
		if err != nil || made.Text() != u.Text() {
			t.Fatalf("%q from its options: %v", u.Text(), err)
		}
	})
}
