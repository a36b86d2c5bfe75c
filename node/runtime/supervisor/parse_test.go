package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/supervise"
)

func TestParseEnvironment(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"A=1", []string{"A=1"}},
		{"A=1\nB=2\n", []string{"A=1", "B=2"}},
		{"  # A=1\n;B=2\nC=3", []string{"C=3"}},
		{"no assignment\nA=1", []string{"A=1"}},
		{"export A=1\n1A=2\n=3\nB=", []string{"B="}},
		{"A =  two words  \n", []string{"A=two words"}},
		{"A='a # \"b'c\" d\"  ", []string{"A=a # \"bc d"}},
		{"A=\"a\\\"b\\\\c\\d\"", []string{`A=a"b\c\d`}},
		{"A=one\\\n  two", []string{"A=one  two"}},
		{"A=\"one\ntwo\"\nB=3", []string{"A=one\ntwo", "B=3"}},
		{"A='never closed\nB=2", []string{"A=never closed\nB=2"}},
		{"A=\"kept \"  \r\nB=1\r\n", []string{"A=kept ", "B=1"}},
		{"A=\\", []string{"A=\\"}},
	} {
		if diff := cmp.Diff(tc.want, parseEnvironment(tc.text)); diff != "" {
			t.Errorf("%q: %s", tc.text, diff)
		}
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add("A=1\nB=\"x y\" 'z'\\\n#c\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range parseEnvironment(text) {
			name, value, ok := strings.Cut(v, "=")
			if !ok || !isName(name) || strings.ContainsRune(value, 0) {
				t.Errorf("%q is no variable", v)
			}
			// What was read can be written so that it is read again.
			quoted := name + "='" + value + "'"
			if !strings.ContainsAny(value, "'") && !cmp.Equal(parseEnvironment(quoted), []string{v}) {
				t.Errorf("%q is read as %q", quoted, parseEnvironment(quoted))
			}
		}
	})
}

func TestParseNotification(t *testing.T) {
	for _, tc := range []struct {
		text string
		want supervise.Notified
	}{
		{"", supervise.Notified{}},
		{"READY=1\nSTATUS=up = fine\n", supervise.Notified{Ready: true, Status: "up = fine"}},
		{"READY=0\nSTOPPING=1\nRELOADING=1\nWATCHDOG=1", supervise.Notified{Stopping: true, Reloading: true, Alive: true}},
		{"EXTEND_TIMEOUT_USEC=1500000", supervise.Notified{Extend: 1500 * time.Millisecond}},
		{"EXTEND_TIMEOUT_USEC=9223372036854775807", supervise.Notified{}},
		{"EXTEND_TIMEOUT_USEC=-1\nMAINPID=1\nREADY", supervise.Notified{}},
		{"STATUS=\xff", supervise.Notified{Status: "\uFFFD"}},
	} {
		if diff := cmp.Diff(tc.want, parseNotification(tc.text)); diff != "" {
			t.Errorf("%q: %s", tc.text, diff)
		}
	}
}

func FuzzParseNotification(f *testing.F) {
	f.Add("READY=1\nSTATUS=x\nEXTEND_TIMEOUT_USEC=5")
	f.Fuzz(func(t *testing.T, text string) {
		if n := parseNotification(text); n.Extend < 0 || strings.Contains(n.Status, "\n") {
			t.Errorf("%q is read as %+v", text, n)
		}
	})
}
