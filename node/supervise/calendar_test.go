package supervise_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/node/supervise"
	"drydock/node/unit"
)

func TestCalendar(t *testing.T) {
	const layout = "Mon 2006-01-02 15:04:05"
	// From a Thursday.
	from := time.Date(2014, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"minutely":                  "Thu 2014-05-01 12:01:00",
		"hourly":                    "Thu 2014-05-01 13:00:00",
		"daily":                     "Fri 2014-05-02 00:00:00",
		"weekly":                    "Mon 2014-05-05 00:00:00",
		"monthly":                   "Sun 2014-06-01 00:00:00",
		"quarterly":                 "Tue 2014-07-01 00:00:00",
		"semiannually":              "Tue 2014-07-01 00:00:00",
		"Yearly":                    "Thu 2015-01-01 00:00:00",
		"04:30":                     "Fri 2014-05-02 04:30:00",
		"12:00":                     "Fri 2014-05-02 12:00:00",
		"12:00:01":                  "Thu 2014-05-01 12:00:01",
		"*:0/15":                    "Thu 2014-05-01 12:15:00",
		"*:*:0/20":                  "Thu 2014-05-01 12:00:20",
		"Mon..Wed 10:00":            "Mon 2014-05-05 10:00:00",
		"Sat..Sun, 10:00":           "Sat 2014-05-03 10:00:00",
		"Fri,Sunday *-*-10..20":     "Sun 2014-05-11 00:00:00",
		"2015-02-03":                "Tue 2015-02-03 00:00:00",
		"02-29":                     "Mon 2016-02-29 00:00:00",
		"Tue *-02-29 06:00 UTC":     "Tue 2028-02-29 06:00:00",
		"*-*-1/10 00:00":            "Sun 2014-05-11 00:00:00",
		"*-1,4-* 23:59:59":          "Thu 2015-01-01 23:59:59",
		"2013-01-01":                "never",
		"*-02-30":                   "never",
		"Thu *-*-* 11..13/2:00":     "Thu 2014-05-01 13:00:00",
		"2014..2020-05-01 12:00:00": "Fri 2015-05-01 12:00:00",
	} {
		c, err := supervise.ParseCalendar(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := "never"
		if at, ok := c.Next(from); ok {
			got = at.Format(layout)
		}
		if got != want || c.String() != text {
			t.Errorf("%q is next at %s, want %s", text, got, want)
		}
	}
}

func TestCalendarRefuses(t *testing.T) {
	for _, text := range []string{
		"", "  ", "never", "Xyz 10:00", "25:00", "10:60", "10:00:60", "*-13-01", "*-00-01", "*-*-32", "1-2-3-4", "1:2:3:4",
		"10..5:00", "*/0:00", "*:*/60", "*/5:00", "*,1:00", "1,,2:00", "Mon..Xyz", "Sat..Mon", "Mon 1 2 3", "10:00 Europe/Berlin", "*-*~1", "00:00:00.5",
		"-5:00", "1969-01-01",
	} {
		if c, err := supervise.ParseCalendar(text); !errors.Is(err, supervise.ErrCalendar) {
			t.Errorf("%q is taken as %+v (%v)", text, c, err)
		}
	}
}

// TestCalendarNextIsNext compares with looking at every second.
func TestCalendarNextIsNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`((Mon|Tue\.\.Thu|Sun,Sat) )?\*-\*-(\*|1|2\.\.4) (\*|[0-9]|1[0-9]):(\*|[0-5][0-9]|0/7):[0-5][05]`).Draw(t, "text")
		c, err := supervise.ParseCalendar(text)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Unix(rapid.Int64Range(1_400_000_000, 1_400_600_000).Draw(t, "from"), 0).UTC()
		next, ok := c.Next(from)
		if !ok || !next.After(from) {
			t.Fatalf("%q after %v is %v", text, from, next)
		}
		// What is next after any moment before it is the same.
		between := from.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(from)/time.Second)-1).Draw(t, "between")) * time.Second)
		if again, _ := c.Next(between); !again.Equal(next) {
			t.Fatalf("%q after %v is %v, but after %v it is %v", text, from, next, between, again)
		}
		if after, ok := c.Next(next); ok && after.Sub(next) < time.Second {
			t.Fatalf("%q comes twice at %v", text, next)
		}
	})
}

func FuzzParseCalendar(f *testing.F) {
	f.Add("Mon..Fri *-1,2-3/4 5:6:7 UTC")
	f.Add("*:0/15")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := supervise.ParseCalendar(text)
		if err != nil {
			if !errors.Is(err, supervise.ErrCalendar) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		from := time.Date(2014, 5, 1, 12, 0, 0, 0, time.UTC)
		if at, ok := c.Next(from); ok && !at.After(from) {
			t.Errorf("%q after %v is %v", text, from, at)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ name, text, option string }{
		{"a.service", "[Service]\nExecStart=/bin/a\n", ""},
		{"a.service", "[Service]\nExecStart=/bin/a\nPrivateTmp=yes\n", "PrivateTmp"},
		{"a.service", "[Service]\nType=dbus\nExecStart=/bin/a\n", "Type"},
		{"a.timer", "[Timer]\nOnCalendar=daily\n", ""},
		{"a.timer", "[Timer]\nOnCalendar=sometimes\n", "OnCalendar"},
		{"a.mount", "[Mount]\nWhat=/dev/a\nWhere=/a\n", "mount"},
	} {
		u, err := unit.Parse(tc.name, []byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		def, err := u.Define(unit.Facts{})
		if err != nil {
			t.Fatal(err)
		}
		err = supervise.Check(def)
		var problems *unit.Error
		if (err == nil) != (tc.option == "") || err != nil && (!errors.As(err, &problems) || len(problems.Problems) != 1) {
			t.Errorf("%s %q: %v", tc.name, tc.text, err)
		}
	}
}
