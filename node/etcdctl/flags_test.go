package etcdctl

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var someFlags = []flag{
	{names: []string{"recursive", "r"}},
	{names: []string{"ttl"}, kind: number, value: "0"},
	{names: []string{"value"}, kind: text, value: "none"},
	{names: []string{"timeout"}, kind: span, value: "2s"},
	{names: []string{"roles"}, kind: list},
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		line, rest, given string
		err               string
	}{
		{"", "", "", ""},
		{"/k v", "/k v", "", ""},
		{"-r /k", "/k", "recursive=true", ""},
		{"--r --ttl 5 /k", "/k", "recursive=true ttl=5", ""},
		{"/k --ttl=5 v", "/k v", "ttl=5", ""},
		{"--recursive /k --ttl 0x10", "/k", "recursive=true ttl=0x10", ""},
		{"-recursive=F /k", "/k", "recursive=false", ""},
		{"/k -5", "/k -5", "", ""},
		{"/k -x --ttl 3", "/k -x", "ttl=3", ""},
		{"/k -- --ttl 3", "/k --ttl 3", "", ""},
		{"-- -r", "-r", "", ""},
		{"- x", "- x", "", ""},
		{"--value= /k", "/k", "value=", ""},
		{"--value -r /k", "/k", "value=-r", ""},
		{"--roles a --roles b,c x", "x", "roles=a,b,c", ""},
		{"--timeout 1m30s", "", "timeout=1m30s", ""},
		{"-x /k", "", "", "flag provided but not defined: -x"},
		{"--x=y /k", "", "", "flag provided but not defined: -x"},
		{"--ttl", "", "", "flag needs an argument: -ttl"},
		{"--ttl x", "", "", `invalid value "x" for flag -ttl: parse error`},
		{"--ttl 99999999999999999999", "", "", `invalid value "99999999999999999999" for flag -ttl: value out of range`},
		{"-r=maybe", "", "", `invalid boolean value "maybe" for -r: parse error`},
		{"--timeout 5", "", "", `invalid value "5" for flag -timeout: parse error`},
		{"-h", "", "", errHelp.Error()},
		{"--help", "", "", errHelp.Error()},
		{"/k --help", "/k --help", "", ""},
	} {
		v, rest, err := parse(someFlags, strings.Fields(tc.line), true, false)
		if err != nil || tc.err != "" {
			if err == nil || err.Error() != tc.err {
				t.Errorf("%q: got %v, want %q", tc.line, err, tc.err)
			}
			continue
		}
		var given []string
		for name, value := range v.given {
			given = append(given, name+"="+value)
		}
		slices.Sort(given)
		if got := strings.Join(given, " "); got != tc.given || strings.Join(rest, " ") != tc.rest {
			t.Errorf("%q: flags %q, arguments %q", tc.line, got, rest)
		}
	}
	_, rest, err := parse(someFlags, []string{"-r", "x", "-r"}, false, false)
	if err != nil || strings.Join(rest, " ") != "x -r" {
		t.Errorf("a group's flags go on after its command: %q, %v", rest, err)
	}
	if _, rest, _ = parse(someFlags, []string{"k", "--", "x"}, true, true); strings.Join(rest, " ") != "k -- x" {
		t.Errorf("dashes are not kept: %q", rest)
	}
}

// FuzzParse: no argument is lost but flags, and flags have values of their kind.
func FuzzParse(f *testing.F) {
	f.Add("-r /k --ttl 5 v")
	f.Add("--ttl= -- -x")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		v, rest, err := parse(someFlags, slices.Clone(args), true, true)
		if err != nil {
			return
		}
		if len(rest) > len(args) {
			t.Fatalf("%q became %q", args, rest)
		}
		for _, r := range rest {
			if !slices.Contains(args, r) {
				t.Fatalf("%q is of nobody's making", r)
			}
		}
		_, _, _ = v.number("ttl"), v.span("timeout"), v.bool("recursive")
		if len(v.given) == 0 && len(rest) != len(args) {
			t.Fatalf("%q lost arguments: %q", args, rest)
		}
	})
}

func TestKeyAndCommand(t *testing.T) {
	for _, tc := range []struct{ line, key, command string }{
		{"/e -- echo hi", "/e", "echo hi"},
		{"e -- echo -- hi", "e", "echo -- hi"},
		{"/e echo hi", "/e", "echo hi"},
		{"echo hi /e", "/e", "echo hi"},
		{"echo hi e", "e", "echo hi"},
		{"/bin/echo hi /e", "/e", "/bin/echo hi"},
		{"", "", ""},
		{"/e", "", ""},
		{"/e --", "", ""},
		{"-- /e", "", ""},
		{"/e x -- y", "", ""},
	} {
		key, command, err := keyAndCommand(strings.Fields(tc.line))
		if key != tc.key || strings.Join(command, " ") != tc.command || (err == nil) != (tc.command != "") {
			t.Errorf("%q: key %q, command %q, %v", tc.line, key, command, err)
		}
	}
}

type srvRecords map[string][]*net.SRV

// LookupSRV implements resolver.
func (r srvRecords) LookupSRV(_ context.Context, service, _, _ string) (string, []*net.SRV, error) {
	if found := r[service]; found != nil {
		return "", found, nil
	}
	return "", nil, errors.New("no such host")
}

func TestDiscover(t *testing.T) {
	secure := []*net.SRV{{Target: "a.example.", Port: 2379}}
	plain := []*net.SRV{{Target: "b.example.", Port: 80}, {Target: "::1", Port: 81}}
	for _, tc := range []struct {
		records  srvRecords
		insecure bool
		want     []string
		err      string
	}{
		{srvRecords{"etcd-client-ssl": secure, "etcd-client": plain}, false, []string{"https://a.example:2379"}, ""},
		{
			srvRecords{"etcd-client-ssl": secure, "etcd-client": plain},
			true,
			[]string{"https://a.example:2379", "http://b.example:80", "http://[::1]:81"},
			"",
		},
		{srvRecords{"etcd-client": plain}, false, nil, "--insecure-discovery"},
		{nil, true, nil, "dns lookup errors"},
	} {
		got, err := discover(t.Context(), tc.records, "example", tc.insecure)
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.err == "") ||
			err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%v, insecure %v: %v\n%s", tc.records, tc.insecure, err, diff)
		}
	}
}
