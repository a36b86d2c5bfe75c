package docker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/unit"
)

// defined reads a service of these lines.
func defined(t *testing.T, name string, lines string) *unit.Definition {
	t.Helper()
	u, err := unit.Parse(name, []byte("[Service]\n"+lines+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	def, err := u.Define(unit.AnyFacts())
	if err != nil {
		t.Fatal(err)
	}
	return def
}

func TestClaims(t *testing.T) {
	named := func(names ...string) (list []claim) {
		for _, name := range names {
			list = append(list, claim{Name: name})
		}
		return list
	}
	for _, tc := range []struct {
		name, lines string
		want        []claim
		docker      bool
	}{
		{"no docker", "ExecStart=/bin/sleep 1", nil, false},
		{
			"the article's", `ExecStart=/usr/bin/docker run busybox /bin/sh -c "while true; do echo Hello World; sleep 1; done"`,
			[]claim{{Image: "busybox", Args: []string{"/bin/sh", "-c", "while true; do echo Hello World; sleep 1; done"}}},
			true,
		},
		{
			"the usual", "ExecStartPre=-/usr/bin/docker rm %p-%i\nExecStart=/usr/bin/docker run --rm --name %p-%i -p 80:80 -it busybox",
			named("web-1"), true,
		},
		{"name with =", "ExecStart=/usr/bin/docker run --name=x busybox", named("x"), true},
		{"2014's dash", "ExecStart=/usr/bin/docker run -rm -name x busybox", named("x"), true},
		{"short options with values", "ExecStart=/usr/bin/docker run -dp 80:80 -eA=b -v /a:/b -w /x --rm=true img cmd", []claim{{Image: "img", Args: []string{"cmd"}}}, true},
		{"the image's own command", "ExecStart=/usr/bin/docker run --init img", []claim{{Image: "img", Open: true}}, true},
		{"dollar", "ExecStart=/usr/bin/docker run img one $$two ${THREE} four", []claim{{Image: "img", Args: []string{"one", "$two"}, Open: true}}, true},
		{"unknown name", "ExecStart=/usr/bin/docker run --name ${WHO} img", nil, true},
		{"unknown image", "ExecStart=/usr/bin/docker run ${IMAGE}", nil, true},
		{"create, then start", "ExecStartPre=/usr/bin/docker --debug container create --name c img\nExecStart=/usr/bin/docker start -a c", named("c"), true},
		{"another engine", "ExecStart=/usr/bin/docker -H tcp://far:2375 run --name x img", nil, true},
		{"another context", "ExecStart=/usr/bin/docker --context=far run --name x img", nil, true},
		{"not a run", "ExecStart=/usr/bin/docker start -a db", nil, true},
		{"no arguments", "ExecStart=/usr/bin/docker", nil, true},
		{"end of options", "ExecStart=/usr/bin/docker run -- -odd x", []claim{{Image: "-odd", Args: []string{"x"}}}, true},
		{
			"in a shell", `ExecStart=/bin/bash -ec "A=1; /usr/bin/docker run --name 'my x' img && docker run --name y i | docker rm z"`,
			named("my x", "y"), true,
		},
		{"in a shell, without a name", `ExecStart=/bin/sh -c "docker run img"`, nil, true},
		{"a shell without docker", `ExecStart=/bin/sh -c "echo docker-like"`, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, docker := claims(defined(t, "web@1.service", tc.lines))
			if d := cmp.Diff(tc.want, got); d != "" || docker != tc.docker {
				t.Errorf("docker %v\n%s", docker, d)
			}
		})
	}
	target := defined(t, "a.target", "")
	if list, docker := claims(target); list != nil || docker {
		t.Error("a target has containers")
	}
}

func FuzzShellWords(f *testing.F) {
	f.Add(`a "b \" c" 'd'\ e;f&&g`)
	f.Fuzz(func(t *testing.T, script string) {
		total := 0
		for _, w := range shellWords(script) {
			total += len(w)
		}
		if total > len(script) {
			t.Errorf("%q has more in its words than it had", script)
		}
		ofScript(script)
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"unit":"a.service","claims":[{"name":"x"}],"starts":["2026-01-01T00:00:00Z"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		if again, err := json.Marshal(r); err == nil {
			if _, err := parseRecord(again); err != nil {
				t.Errorf("%q is written as %s: %v", text, again, err)
			}
		}
	})
}

func TestOwners(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1700000000+int64(s), 0) }
	hello := []claim{{Image: "busybox", Args: []string{"hello"}}}
	units := []record{
		{Unit: "labelled.service", Starts: []time.Time{at(0)}},
		{Unit: "named.service", Claims: []claim{{Name: "web"}}, Starts: []time.Time{at(0)}},
		{Unit: "hello@1.service", Claims: hello, Starts: []time.Time{at(10), at(30)}},
		{Unit: "hello@2.service", Claims: hello, Starts: []time.Time{at(20)}},
		{Unit: "open.service", Claims: []claim{{Image: "img", Args: []string{"a"}, Open: true}}, Starts: []time.Time{at(5)}},
	}
	for _, tc := range []struct {
		name string
		c    []container
		want map[string]string
	}{
		{"by label", []container{{ID: "a", Labels: map[string]string{Label: "labelled.service"}}}, map[string]string{"a": "labelled.service"}},
		{"the label of nobody here outranks a name", []container{{ID: "a", Names: []string{"web"}, Labels: map[string]string{Label: "x.service"}}}, nil},
		{"by name", []container{{ID: "a", Names: []string{"web"}}}, map[string]string{"a": "named.service"}},
		{"another name", []container{{ID: "a", Names: []string{"web2"}}}, nil},
		{"before any start", []container{{ID: "a", Image: "busybox", Command: []string{"hello"}, Created: at(9)}}, nil},
		{
			"each start has one, the earliest first",
			[]container{
				{ID: "c", Image: "busybox", Command: []string{"hello"}, Created: at(31)},
				{ID: "a", Image: "busybox", Command: []string{"hello"}, Created: at(11)},
				{ID: "b", Image: "busybox", Command: []string{"hello"}, Created: at(21)},
				{ID: "d", Image: "busybox", Command: []string{"hello"}, Created: at(32)},
			},
			map[string]string{"a": "hello@1.service", "b": "hello@2.service", "c": "hello@1.service"},
		},
		{"other arguments", []container{{ID: "a", Image: "busybox", Command: []string{"hello", "you"}, Created: at(11)}}, nil},
		{"other image", []container{{ID: "a", Image: "busybox:1", Command: []string{"hello"}, Created: at(11)}}, nil},
		{"an open end", []container{{ID: "a", Image: "img", Command: []string{"a", "b"}, Created: at(11)}}, map[string]string{"a": "open.service"}},
		{"an open end, otherwise", []container{{ID: "a", Image: "img", Command: []string{"b"}, Created: at(11)}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := owners(units, tc.c)
			if len(tc.want) == 0 {
				tc.want = map[string]string{}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
