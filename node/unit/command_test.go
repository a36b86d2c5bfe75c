package unit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/unit"
)

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                         nil,
		"  ":                       nil,
		"a b\tc":                   {"a", "b", "c"},
		`"a b" 'c d'`:              {"a b", "c d"},
		`"a 'b'" 'c "d"'`:          {"a 'b'", `c "d"`},
		`a"b c"d`:                  {"ab cd"},
		`""`:                       {""},
		`a "" b`:                   {"a", "", "b"},
		`\x41\x20b \101 \u00e9`:    {"A b", "A", "é"},
		`\ta\n "b\"c" 'd\'e' f\sg`: {"\ta\n", `b"c`, "d'e", "f g"},
		`a\\b`:                     {`a\b`},
		`s/\./x/`:                  {`s/\./x/`},
		`\x4 \x00 \400 \uD800`:     {`\x4`, `\x00`, `\400`, `\uD800`},
		`a\`:                       {`a\`},
		`\x \U0001F600`:            {`\x`, "\U0001F600"},
		`\ b`:                      {`\`, "b"},
	} {
		got, err := unit.SplitWords(line)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v -want +got:\n%s", line, err, diff)
		}
	}
	for _, line := range []string{`"a`, `'a`, `a "b c`, `"a'`} {
		if words, err := unit.SplitWords(line); err == nil {
			t.Errorf("%s: %q, want an error", line, words)
		}
	}
}

func command(change func(*unit.Command), args ...string) unit.Command {
	c := unit.Command{Path: args[0], Args: args}
	change(&c)
	return c
}

func TestParseCommands(t *testing.T) {
	plain := func(*unit.Command) {}
	for line, want := range map[string][]unit.Command{
		"/bin/true":    {command(plain, "/bin/true")},
		"true":         {command(plain, "true")},
		"//bin//true ": {command(plain, "/bin/true")},
		`/bin/sh -c "echo $HOME; sleep 1"`: {
			command(plain, "/bin/sh", "-c", "echo $HOME; sleep 1"),
		},
		"-/bin/false":  {command(func(c *unit.Command) { c.IgnoreFailure = true }, "/bin/false")},
		"+/bin/id":     {command(func(c *unit.Command) { c.Privileged = true }, "/bin/id")},
		"!/bin/id":     {command(func(c *unit.Command) { c.Privileged = true }, "/bin/id")},
		"!!/bin/id":    {command(func(c *unit.Command) { c.Privileged = true }, "/bin/id")},
		":/bin/echo $": {command(func(c *unit.Command) { c.NoExpand = true }, "/bin/echo", "$")},
		"-@:/bin/sh name -c": {
			command(func(c *unit.Command) {
				c.IgnoreFailure, c.NoExpand, c.Path = true, true, "/bin/sh"
			}, "name", "-c"),
		},
		"@/bin/a b ;c":             {command(func(c *unit.Command) { c.Path = "/bin/a" }, "b", ";c")},
		"/bin/a 1 ; /bin/b 2 ;":    {command(plain, "/bin/a", "1"), command(plain, "/bin/b", "2")},
		"; ; /bin/a ; ; -/bin/b":   {command(plain, "/bin/a"), command(func(c *unit.Command) { c.IgnoreFailure = true }, "/bin/b")},
		`/bin/a \; ";" b;`:         {command(plain, "/bin/a", ";", ";", "b;")},
		`/bin/a \\; \;`:            {command(plain, "/bin/a", `\;`, ";")},
		`/bin/a %i %% 100%`:        {command(plain, "/bin/a", "1", "%", "100%")},
		`/opt/%p/run "%n" 'a b%i'`: {command(plain, "/opt/web/run", "web@1.service", "a b1")},
	} {
		name, err := unit.ParseName("web@1.service")
		if err != nil {
			t.Fatal(err)
		}
		got, err := unit.ParseCommands(line, name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v -want +got:\n%s", line, err, diff)
		}
	}
}

func TestParseCommandsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"-":                 "there is no program",
		"bin/true":          `"bin/true" is neither an absolute path nor a program's name`,
		"/bin/":             `"/bin/" is a directory, not a program`,
		`""`:                "there is no program",
		"--/bin/true":       `the prefix '-' is one too many`,
		"+!/bin/true":       `the prefix '!' is one too many`,
		"!!!/bin/true":      `the prefix '!' is one too many`,
		"!+/bin/true":       `the prefix '+' is one too many`,
		"@/bin/true":        `"@" wants the program's name behind its path`,
		`/bin/true "a`:      "a quote is not closed",
		"/bin/true %z":      "the specifier %z is not known; write %% for a percent sign",
		"/bin/true ; bin/a": `"bin/a" is neither an absolute path nor a program's name`,
	} {
		name, err := unit.ParseName("web@1.service")
		if err != nil {
			t.Fatal(err)
		}
		_, err = unit.ParseCommands(line, name)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestArgv(t *testing.T) {
	env := map[string]string{"A": "one", "B": "two words", "EMPTY": "", "Q": `"x y" z`, "BAD": `it's`}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, tc := range []struct {
		args, want []string
	}{
		{[]string{"/p", "$A", "${A}"}, []string{"/p", "one", "one"}},
		{[]string{"/p", "$B", "${B}"}, []string{"/p", "two", "words", "two words"}},
		{[]string{"/p", "$EMPTY", "${EMPTY}", "$NONE", "x${NONE}y"}, []string{"/p", "", "xy"}},
		{[]string{"/p", "a$A", "$A-b", "${A}b${B}"}, []string{"/p", "a$A", "$A-b", "onebtwo words"}},
		{[]string{"/p", "$$A", "$${A}", "5$"}, []string{"/p", "$A", "${A}", "5$"}},
		{[]string{"/p", "${A", "${}", "${1}", "$1"}, []string{"/p", "${A", "${}", "${1}", "$1"}},
		{[]string{"/p", "$Q"}, []string{"/p", "x y", "z"}},
		{[]string{"/p", "$BAD"}, []string{"/p", "it's"}},
		{[]string{"$A", "b"}, []string{"$A", "b"}},
	} {
		if diff := cmp.Diff(tc.want, unit.Command{Args: tc.args}.Argv(lookup)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", tc.args, diff)
		}
	}
	raw := unit.Command{Args: []string{"/p", "$A", "$$"}, NoExpand: true}
	if diff := cmp.Diff(raw.Args, raw.Argv(lookup)); diff != "" {
		t.Error(diff)
	}
}

func TestExpand(t *testing.T) {
	facts := unit.Facts{
		MachineID: "m", BootID: "b", Hostname: "core1.example.org", Kernel: "6.1", Arch: "x86-64",
		User: "core", UID: "500", Group: "grp", GID: "501", Home: "/var/core", Shell: "/bin/sh",
	}
	for _, tc := range []struct{ name, in, want string }{
		{"foo@bar.service", "%n %N %p %i", "foo@bar.service foo@bar foo bar"},
		{"foo.service", "%n %N %p [%i]", "foo.service foo foo []"},
		{`a-b@c-d\x2de.service`, "%i %I %f %P %j", `c-d\x2de c/d-e /c/d-e a/b b`},
		{`a-b\x20c.service`, "%f %J", "/a/b c b c"},
		{"a.service", "%m %b %H %l %v %a", "m b core1.example.org core1 6.1 x86-64"},
		{"a.service", "%u %U %g %G %h %s", "core 500 grp 501 /var/core /bin/sh"},
		{"a.service", "%t %S %C %L %E %T %V", "/run /var/lib /var/cache /var/log /etc /tmp /var/tmp"},
		{"a.service", "%%n 100% 5%-", "%n 100% 5%-"},
		{"a.service", "none", "none"},
		{`a@\x2.service`, "%I", `\x2`},
		{`a@\xzz.service`, "%I", `\xzz`},
	} {
		name, err := unit.ParseName(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unit.Expand(tc.in, name, facts); got != tc.want || err != nil {
			t.Errorf("%s in %s: %q, %v, want %q", tc.in, tc.name, got, err, tc.want)
		}
	}
	if got, err := unit.Expand("a %q", unit.Name{}, facts); err == nil {
		t.Errorf("%q, want an error", got)
	}
}
