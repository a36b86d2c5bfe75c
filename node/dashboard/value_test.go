package dashboard

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestValues(t *testing.T) {
	for _, tc := range []struct {
		stored, kind, form, shown string
	}{
		{"", "text", asText, ""},
		{"hello", "text", asText, "hello"},
		{"a\nb\n", "text", asText, "a\nb\n"},
		{"\n\nfirst lines", "text", asText, "\n\nfirst lines"},
		{"a\r\nb\r\n", "text", asCRLF, "a\r\nb\r\n"},
		{"a\rb", "data", asHex, "00000000  61 0d 62                                          |a.b|\n"},
		{"a\r\nb\n", "data", asHex, "00000000  61 0d 0a 62 0a                                    |a..b.|\n"},
		{"nul\x00", "data", asHex, "00000000  6e 75 6c 00                                       |nul.|\n"},
		{"\xff", "data", asHex, "00000000  ff                                                |.|\n"},
		{"\ufffd", "data", asHex, "00000000  ef bf bd                                          |...|\n"},
		{`{"a":[1,2.50]}`, "JSON", asText, "{\n  \"a\": [\n    1,\n    2.50\n  ]\n}"},
		{`{"a":`, "text", asText, `{"a":`},
		{"42", "text", asText, "42"},
		{strings.Repeat(`["]",`, 100) + "1" + strings.Repeat("]", 100), "text", asText, strings.Repeat(`["]",`, 100) + "1" + strings.Repeat("]", 100)},
	} {
		v := readValue(tc.stored)
		if v.Kind != tc.kind || v.Form != tc.form || v.Shown != tc.shown {
			t.Errorf("%q is %s, %s, shown as %q; want %s, %s, %q", tc.stored, v.Kind, v.Form, v.Shown, tc.kind, tc.form, tc.shown)
		}
		back, err := fieldValue(asBrowser(v.Field), v.Form)
		if err != nil || back != tc.stored {
			t.Errorf("%q comes back from the field as %q, %v", tc.stored, back, err)
		}
	}
}

// asBrowser is what a browser sends of a text field.
func asBrowser(field string) string {
	field = strings.ReplaceAll(strings.ReplaceAll(field, "\r\n", "\n"), "\r", "\n")
	return strings.ReplaceAll(field, "\n", "\r\n")
}

func TestLongValues(t *testing.T) {
	long := readValue(strings.Repeat("é", maxEdited))
	if !long.Long || !long.Cut || long.Field != "" || len(long.Shown) > maxShown || strings.ContainsRune(long.Shown, '\ufffd') {
		t.Errorf("long %v, cut %v, %d bytes in the field, %d shown", long.Long, long.Cut, len(long.Field), len(long.Shown))
	}
	middle := readValue("x" + strings.Repeat("é", maxShown/2))
	if middle.Long || !middle.Cut || len(middle.Shown) != maxShown-1 {
		t.Errorf("long %v, cut %v, %d shown", middle.Long, middle.Cut, len(middle.Shown))
	}
	if got := glimpse(strings.Repeat("a\n", 500)); len(got) > 130 || strings.Contains(got, "\n") {
		t.Errorf("a glimpse of %d bytes: %q", len(got), got)
	}
	if got := glimpse("\x01" + strings.Repeat("\xfe", 1000)); len(got) > 140 || !strings.HasPrefix(got, "01fefe") {
		t.Errorf("a glimpse of bytes: %q", got)
	}
}

func TestBadDigits(t *testing.T) {
	for _, bad := range []string{"0", "zz", "00 1", "0x00", "00,11"} {
		if v, err := fieldValue(bad, asHex); !errors.Is(err, errHex) {
			t.Errorf("%q is %q, %v", bad, v, err)
		}
	}
	if v, err := fieldValue(" 0a\r\nFF\t00 ", asHex); err != nil || v != "\n\xff\x00" {
		t.Errorf("%q, %v", v, err)
	}
}

// FuzzValue holds that what a page shows in its field comes back unaltered
// through a browser.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{"", "text", "a\r\nb", "a\rb\n", "\x00", "\xff\xfe", `{"a":[1]}`, "[[[[", "\ufeffx", "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		v := readValue(stored)
		if v.Long {
			return
		}
		if back, err := fieldValue(asBrowser(v.Field), v.Form); err != nil || back != stored {
			t.Fatalf("%q comes back as %q, %v", stored, back, err)
		}
		glimpse(stored)
	})
}

// FuzzFieldValue reads fields of any form.
func FuzzFieldValue(f *testing.F) {
	f.Add("00 ff", asHex)
	f.Add("a\r\nb", asCRLF)
	f.Add("a\rb", asText)
	f.Fuzz(func(t *testing.T, field, form string) {
		v, err := fieldValue(field, form)
		if err != nil && (!errors.Is(err, errHex) || v != "" || form != asHex) {
			t.Fatalf("%q, %v", v, err)
		}
	})
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(1000): "1,000", count(1234567): "1,234,567",
		left(0): "0 s", left(119): "119 s", left(120): "2 min 0 s", left(7200): "2 h 0 min", left(200000): "2 days",
		millis(42 * time.Microsecond): "42 µs", millis(1234 * time.Microsecond): "1.2 ms", millis(123 * time.Millisecond): "123 ms",
		rate(0): "0", rate(0.25): "0.2", rate(3): "3", rate(12345.6): "12,346",
		list(nil): "", list([]string{"a"}): "a", list([]string{"a", "b", "c"}): "a, b and c",
		plural(1, "key"): "1 key", plural(2000, "key"): "2,000 keys",
		escapeKey("/a b/ü?#%/<x>"): "a%20b/%C3%BC%3F%23%25/%3Cx%3E", keyURL("/"): "/mod/dashboard/keys/",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
