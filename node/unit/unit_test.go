package unit_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/unit"
)

// TestHash compares with what fleet's documentation shows for its example.
func TestHash(t *testing.T) {
	const hello = "[Unit]\nDescription=Hello World\n\n[Service]\n" +
		"ExecStart=/bin/bash -c \"while true; do echo \\\"Hello, world\\\"; sleep 1; done\"\n"
	for _, text := range []string{hello, "# a comment\n" + hello, hello + "[Unit]\n\n"} {
		u, err := unit.Parse("hello.service", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		h := u.Hash()
		if h.Short() != "e55c0ae" {
			t.Errorf("%q: %s", text, h.Short())
		}
		if again, err := unit.ParseHash(h.String()); again != h || err != nil {
			t.Errorf("%v became %v: %v", h, again, err)
		}
	}
	for _, bad := range []string{"", "e55c0ae", strings.Repeat("g", 40), strings.Repeat("0", 42)} {
		if h, err := unit.ParseHash(bad); err == nil {
			t.Errorf("%q: %v, want an error", bad, h)
		}
	}
}

func TestFromOptions(t *testing.T) {
	type o = unit.Option
	u, err := unit.FromOptions("a.service", []unit.Option{
		{Section: "Service", Name: "ExecStart", Value: "/bin/true"},
		{Section: "X-Fleet", Name: "Global", Value: "true"},
		{Section: "Service", Name: "Restart", Value: "no"},
		{Section: "Service", Name: "ExecStop", Value: "/bin/a \\\n b"},
	})
	const want = "[Service]\nExecStart=/bin/true\nRestart=no\nExecStop=/bin/a \\\n b\n\n[X-Fleet]\nGlobal=true\n"
	if err != nil || u.Text() != want || !u.Fleet().Global {
		t.Errorf("%v, %v", u, err)
	}
	for _, tc := range []struct {
		option o
		want   string
	}{
		{o{Section: "A", Name: "B", Value: " c"}, `[A] B: the value " c" can't be written in a unit file`},
		{o{Section: "A", Name: "B", Value: "c\nD=e"}, `[A] B: the value "c` + "\n" + `D=e" can't be written in a unit file`},
		{o{Section: "A", Name: "B", Value: "c\n[X-Fleet]\nGlobal=true"}, `[A] B: the value "c` + "\n[X-Fleet]\nGlobal=true" + `" can't be written in a unit file`},
		{o{Section: "A", Name: "#B", Value: "c"}, `[A] #B: the value "c" can't be written in a unit file`},
		{o{Section: "A", Name: "B=C", Value: "d"}, `[A] B=C: the value "d" can't be written in a unit file`},
		{o{Section: "A]\n[B", Name: "C", Value: "d"}, "[A]\n[B] C: the value \"d\" can't be written in a unit file"},
		{o{Section: "A", Name: "B", Value: strings.Repeat("c", 3000)}, "line 2: line too long (max 2048 bytes) (end it with a backslash and go on in the next)"},
	} {
		_, err := unit.FromOptions("a.service", []unit.Option{tc.option})
		if err == nil || err.Error() != tc.want {
			t.Errorf("%+v: %v\nwant %s", tc.option, err, tc.want)
		}
	}
	if _, err := unit.FromOptions("a", nil); !errors.Is(err, unit.ErrName) {
		t.Error(err)
	}
}

func TestInstantiate(t *testing.T) {
	template, err := unit.Parse("web@.service", []byte("[Unit]\nDescription=web %i\n[X-Fleet]\nMachineMetadata=host=%i\nReplicas=2\n"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := template.Instantiate("7")
	if err != nil {
		t.Fatal(err)
	}
	if u.Name().String() != "web@7.service" || u.Hash() != template.Hash() || u.Description() != "web %i" {
		t.Errorf("%v %v %q", u.Name(), u.Hash(), u.Description())
	}
	if got := u.Fleet().Metadata; len(got) != 1 || got[0].String() != "host=7" || len(u.Remarks()) != 1 {
		t.Errorf("%v %v", got, u.Remarks())
	}
	if _, err := template.Instantiate("a/b"); !errors.Is(err, unit.ErrName) {
		t.Error(err)
	}
	if _, err := u.Instantiate("8"); err != nil {
		t.Error(err)
	}
}

// TestTextRoundTrip builds units of well-formed options; text and options lead to
// each other.
func TestTextRoundTrip(t *testing.T) {
	value := rapid.StringMatching(`([a-z"'%$=;#\[\]][a-z "'%$=;#\[\]]{0,20}[a-z])?`)
	rapid.Check(t, func(t *rapid.T) {
		options := rapid.SliceOf(rapid.Custom(func(t *rapid.T) unit.Option {
			return unit.Option{
				Section: rapid.SampledFrom([]string{"Unit", "Service", "X-Other", "Odd one"}).Draw(t, "section"),
				Name:    rapid.StringMatching(`[A-Za-z][A-Za-z -]{0,8}[a-z]`).Draw(t, "name"),
				Value:   value.Draw(t, "value"),
			}
		})).Draw(t, "options")
		made, err := unit.FromOptions("a.service", options)
		if err != nil {
			t.Fatal(err)
		}
		read, err := unit.Parse("a.service", []byte("# comment\n"+made.Text()+"\n; comment"))
		if err != nil || read.Text() != made.Text() || read.Hash() != made.Hash() {
			t.Fatalf("%q became %q: %v", made.Text(), read.Text(), err)
		}
		if len(read.Options()) != len(options) {
			t.Fatalf("%d options became %d", len(options), len(read.Options()))
		}
	})
}

func TestParseSpan(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "1.5": 1500 * time.Millisecond, "5s": 5 * time.Second, "1min 30s": 90 * time.Second,
		"1min30s": 90 * time.Second, "2 h": 2 * time.Hour, "500ms": 500 * time.Millisecond, "10us": 10 * time.Microsecond,
		"1d 1w": 8 * 24 * time.Hour, "1M": 2629800 * time.Second, "1m": time.Minute, "1y": 31557600 * time.Second,
		"infinity": unit.Infinity, " 5 sec ": 5 * time.Second, "3 4": 7 * time.Second,
	} {
		if got, err := unit.ParseSpan(s); got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", " ", "-1", "s", "1x", "1.2.3s", "five", "1e3", "99999999y", "9999999999999999999", "0x10", ".", "1.", "1. 5"} {
		if got, err := unit.ParseSpan(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for _, tc := range []struct {
		resource, s string
		want        int64
	}{
		{unit.CPU, "1", 1000},
		{unit.CPU, "0.25", 250},
		{unit.CPU, "1.0001", 1001},
		{unit.CPU, "150%", 1500},
		{unit.CPU, "12.5%", 125},
		{unit.CPU, ".5", 500},
		{unit.Memory, "1024", 1024},
		{unit.Memory, "1K", 1024},
		{unit.Memory, "1KB", 1024},
		{unit.Memory, "1.5GiB", 3 << 29},
		{unit.Memory, "512 M", 512 << 20},
		{unit.Memory, "7B", 7},
		{unit.Disk, "2T", 2 << 40},
		{"gpu", "2", 2000},
		{"gpu", "9007199254741", 9007199254741000},
	} {
		if got, err := unit.ParseAmount(tc.resource, tc.s); got != tc.want || err != nil {
			t.Errorf("%s %q: %d, %v, want %d", tc.resource, tc.s, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ resource, s string }{
		{unit.CPU, ""},
		{unit.CPU, "-1"},
		{unit.CPU, "1e3"},
		{unit.CPU, "."},
		{unit.CPU, "%"},
		{unit.CPU, "inf"},
		{unit.CPU, "1G"},
		{unit.Memory, "G"},
		{unit.Memory, "1KK"},
		{unit.Memory, "1i"},
		{unit.Memory, "1iB"},
		{unit.Memory, "1BK"},
		{unit.Memory, "50%"},
		{unit.Memory, "1000000T"},
		{unit.Disk, "0x10"},
		{"gpu", "1,5"},
		{"gpu", strings.Repeat("9", 400)},
	} {
		if got, err := unit.ParseAmount(tc.resource, tc.s); err == nil {
			t.Errorf("%s %q: %d, want an error", tc.resource, tc.s, got)
		}
	}
}

func TestSignalNumber(t *testing.T) {
	for s, want := range map[unit.Signal]int{
		"SIGHUP": 1, "SIGTERM": 15, "SIGKILL": 9, "SIGSYS": 31, "SIGRTMIN": 34, "SIGRTMIN+30": 64, "SIGRTMAX-1": 63,
		"SIGRTMAX": 64, "SIGRTMIN+31": 0, "SIGRTMINx": 0, "SIG": 0, "": 0, "SIGFOO": 0,
	} {
		if got := s.Number(); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

// TestBigLimit: a limit of zero is a limit, unlike infinity.
func TestBigLimit(t *testing.T) {
	d, err := define(t, "a.service", "[Service]\nExecStart=/bin/true\nLimitCORE=0:infinity\nLimitRTTIME=5ms\nLimitCPU=1500ms\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []unit.Limit{{Name: "CORE", Hard: math.MaxUint64}, {Name: "RTTIME", Soft: 5000, Hard: 5000}, {Name: "CPU", Soft: 2, Hard: 2}}
	if diff := cmp.Diff(want, d.Service.Context.Limits); diff != "" {
		t.Error(diff)
	}
}

// TestAnyFacts: what stands for a machine at submit makes no errors of its own.
func TestAnyFacts(t *testing.T) {
	u, err := unit.Parse("a@b.service", []byte("[Service]\nExecStart=%h/bin/%u %m\nUser=%u\nGroup=%G\nWorkingDirectory=%h\n"+
		"EnvironmentFile=%h/%H.env\nEnvironment=A=%b B=%v\n[Unit]\nAfter=%i-%H.service %l.mount\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Define(unit.AnyFacts()); err != nil {
		t.Error(err)
	}
}

func TestRemarks(t *testing.T) {
	for text, want := range map[string]string{
		"[X]\nA=b\\":            "line 2: [X] A: the backslash at the end of the file continues nothing",
		"[X-fleet]\nGlobal=yes": "line 2: [X-fleet] Global: does nothing: fleet's section is [X-Fleet]",
		"[Fleet]\nGlobal=yes":   "line 2: [Fleet] Global: does nothing: fleet's section is [X-Fleet]",
		"\nhello\nyou\n[X]\n":   "line 2: text before the first section does nothing",
		"[X]\n=b":               "line 2: [X] a value without a name does nothing",
		"[X-Fleet]\n\nfoo=bar":  `line 3: unrecognized requirement in [X-Fleet] section: "foo"`,
	} {
		u, err := unit.Parse("a.service", []byte(text))
		if err != nil || len(u.Remarks()) != 1 || u.Remarks()[0].Error() != want {
			t.Errorf("%q: %v, %v, want %s", text, u.Remarks(), err, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte("[Unit]\nDescription=web %i\nAfter=docker.service\n\n[Service]\nRestart=always\nExecStart=/bin/web --port %i\n\n" +
		"[X-Fleet]\nConflicts=web@*.service\nMachineMetadata=\"disk=ssd\" \"region=eu\"\nMemory=512M\n")
	for b.Loop() {
		if _, err := unit.Parse("web@1.service", text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDefine(b *testing.B) {
	u, err := unit.Parse("web@1.service", []byte("[Unit]\nAfter=docker.service\n[Service]\nRestart=always\nExecStart=/bin/web --port %i\n"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := u.Define(unit.AnyFacts()); err != nil {
			b.Fatal(err)
		}
	}
}
