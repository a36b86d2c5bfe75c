package unit_test

import (
	"errors"
	"strings"
	"testing"

	"drydock/node/unit"
)

func TestParseNameRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"":                                    "unit name cannot be empty",
		strings.Repeat("a", 249) + ".service": "unit name exceeds maximum length (256)",
		"hello":                               `unit name must contain "."`,
		"hello.":                              `unit name cannot end in "."`,
		"a.foo":                               `invalid unit type: "foo"`,
		"a.service.":                          `unit name cannot end in "."`,
		"a.s@ervice":                          `invalid unit type: "s@ervice"`,
		"a@b.mount":                           `invalid unit type for template: "mount"`,
		"a@.slice":                            `invalid unit type for template: "slice"`,
		"a+b.service":                         `invalid character '+' in unit name`,
		"a/b.service":                         `invalid character '/' in unit name`,
		"héllo.service":                       `invalid character 'é' in unit name`,
		"@1.service":                          `unit name cannot start in "@"`,
		"%i.service":                          `invalid character '%' in unit name`,
	} {
		_, err := unit.ParseName(name)
		if err == nil || err.Error() != want || !errors.Is(err, unit.ErrName) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}

func TestParseNameTakesApart(t *testing.T) {
	for _, tc := range []struct {
		name, stem, prefix, instance, suffix, template string
		isTemplate, isInstance                         bool
	}{
		{"hello.service", "hello", "hello", "", "service", "", false, false},
		{"apache.1.service", "apache.1", "apache.1", "", "service", "", false, false},
		{"hello@.service", "hello@", "hello", "", "service", "hello@.service", true, false},
		{"hello@1.service", "hello@1", "hello", "1", "service", "hello@.service", false, true},
		{"a@b@c.socket", "a@b@c", "a", "b@c", "socket", "a@.socket", false, true},
		{"a@1.2.timer", "a@1.2", "a", "1.2", "timer", "a@.timer", false, true},
		{`dev-a\x20b.device`, `dev-a\x20b`, `dev-a\x20b`, "", "device", "", false, false},
		{"foo-bar:baz_2@x-y.path", "foo-bar:baz_2@x-y", "foo-bar:baz_2", "x-y", "path", "foo-bar:baz_2@.path", false, true},
		{strings.Repeat("a", 248) + ".service", strings.Repeat("a", 248), strings.Repeat("a", 248), "", "service", "", false, false},
	} {
		n, err := unit.ParseName(tc.name)
		if err != nil {
			t.Errorf("%q: %v", tc.name, err)
			continue
		}
		template, _ := n.Template()
		got := []string{n.String(), n.Stem(), n.Prefix(), n.Instance(), n.Type(), template.String()}
		want := []string{tc.name, tc.stem, tc.prefix, tc.instance, tc.suffix, tc.template}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: %q, want %q", tc.name, got, want)
				break
			}
		}
		if n.IsTemplate() != tc.isTemplate || n.IsInstance() != tc.isInstance {
			t.Errorf("%q: template %v, instance %v", tc.name, n.IsTemplate(), n.IsInstance())
		}
	}
}

func TestWith(t *testing.T) {
	for _, tc := range []struct{ name, instance, want string }{
		{"a@.service", "1", "a@1.service"},
		{"a@1.service", "2", "a@2.service"},
		{"a@1.service", "", "a@.service"},
		{"a@.service", "x/y", ""},
		{"a@.service", strings.Repeat("1", 256), ""},
		{"a.service", "1", ""},
	} {
		n, err := unit.ParseName(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.With(tc.instance)
		if got.String() != tc.want || (err == nil) != (tc.want != "") || err != nil && !errors.Is(err, unit.ErrName) {
			t.Errorf("%s with %.9q: %q, %v, want %q", tc.name, tc.instance, got, err, tc.want)
		}
	}
}

func TestComplete(t *testing.T) {
	for typed, want := range map[string]string{
		"hello": "hello.service", "hello.service": "hello.service", "a.timer": "a.timer", "a@1": "a@1.service",
		"a.target": "a.target.service", "apache.1": "apache.1.service", "x.automount": "x.automount",
	} {
		if got := unit.Complete(typed); got != want {
			t.Errorf("%s: %s, want %s", typed, got, want)
		}
	}
}
