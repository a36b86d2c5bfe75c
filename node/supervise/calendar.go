package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrCalendar is wrapped by every error of ParseCalendar.
var ErrCalendar = errors.New("not a moment of the calendar")

// Calendar is a set of moments, as systemd writes them: "daily",
// "Mon..Fri 10:00", "*-*-01 04:00:00", "*:0/15". Moments are in UTC. The zero
// value has none.
type Calendar struct {
	text string
	// weekdays are 0 (Sunday) to 6, empty for all.
	weekdays []int
	// The others are sorted; years is empty for all.
	years, months, days, hours, minutes, seconds []int
}

// String returns the text that was parsed.
func (c Calendar) String() string { return c.text }

// ParseCalendar reads a moment. Time zones other than UTC, fractions of seconds
// and days counted from the end of a month ("~") are errors.
func ParseCalendar(text string) (Calendar, error) {
	c := Calendar{text: text}
	if len(text) > 256 {
		return c, fmt.Errorf("%w: longer than 256 characters", ErrCalendar)
	}
	full := text
	switch strings.ToLower(text) {
	case "minutely":
		full = "*-*-* *:*:00"
	case "hourly":
		full = "*-*-* *:00:00"
	case "daily":
		full = "*-*-* 00:00:00"
	case "weekly":
		full = "Mon *-*-* 00:00:00"
	case "monthly":
		full = "*-*-01 00:00:00"
	case "quarterly":
		full = "*-01,04,07,10-01 00:00:00"
	case "semiannually":
		full = "*-01,07-01 00:00:00"
	case "yearly", "annually":
		full = "*-01-01 00:00:00"
	}
	fields := strings.Fields(full)
	if len(fields) > 1 && strings.EqualFold(fields[len(fields)-1], "UTC") {
		fields = fields[:len(fields)-1]
	}
	if len(fields) == 0 {
		return c, fmt.Errorf("%w: it is empty", ErrCalendar)
	}
	if err := c.fill(fields); err != nil {
		return c, fmt.Errorf("%w: %q: %w", ErrCalendar, text, err)
	}
	return c, nil
}

// fill reads the parts of a moment: weekdays, date and time of day, of which each
// may be left out.
func (c *Calendar) fill(fields []string) (err error) {
	if first := fields[0]; first[0] >= 'A' && first[0] <= 'z' {
		if c.weekdays, err = parseWeekdays(strings.TrimSuffix(first, ",")); err != nil {
			return err
		}
		fields = fields[1:]
	}
	date, clock := "*-*-*", "00:00:00"
	switch {
	case len(fields) > 2:
		return fmt.Errorf("%q is one part too many", fields[2])
	case len(fields) == 2:
		date, clock = fields[0], fields[1]
	case len(fields) == 1 && strings.Contains(fields[0], ":"):
		clock = fields[0]
	case len(fields) == 1:
		date = fields[0]
	}
	ymd := strings.Split(date, "-")
	if len(ymd) == 2 {
		ymd = append([]string{"*"}, ymd...)
	}
	hms := strings.Split(clock, ":")
	if len(hms) == 2 {
		hms = append(hms, "00")
	}
	if len(ymd) != 3 || len(hms) != 3 {
		return errors.New("a date is YEAR-MONTH-DAY, a time is HOUR:MINUTE:SECOND")
	}
	for _, f := range []struct {
		into    *[]int
		text    string
		low, up int
	}{
		{&c.months, ymd[1], 1, 12},
		{&c.days, ymd[2], 1, 31},
		{&c.hours, hms[0], 0, 23},
		{&c.minutes, hms[1], 0, 59},
		{&c.seconds, hms[2], 0, 59},
	} {
		if *f.into, err = parseField(f.text, f.low, f.up); err != nil {
			return err
		}
	}
	if ymd[0] != "*" {
		c.years, err = parseField(ymd[0], 1970, 2199)
	}
	return err
}

// parseField reads "*", "5", "1,15", "1..5", "0/15" and "1..20/3".
func parseField(text string, low, up int) ([]int, error) {
	var values []int
	for _, part := range strings.Split(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 || n > up {
				return nil, fmt.Errorf("the step %q is not a number of 1 to %d", step, up)
			}
			by = n
		}
		from, to := low, up
		if span == "*" && (stepped || text != "*") {
			return nil, fmt.Errorf("%q: \"*\" stands alone; steps count from a number, as in %d/%s", text, low, cmp.Or(step, "5"))
		}
		if span != "*" {
			first, last, ranged := strings.Cut(span, "..")
			n, err := strconv.Atoi(first)
			if err != nil || n < low || n > up {
				return nil, fmt.Errorf("%q is not a number of %d to %d", first, low, up)
			}
			from = n
			switch {
			case ranged:
				if to, err = strconv.Atoi(last); err != nil || to < from || to > up {
					return nil, fmt.Errorf("%q is not a number of %d to %d", last, from, up)
				}
			case !stepped:
				to = from
			}
		}
		for v := from; v <= to; v += by {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil
}

func parseWeekdays(text string) ([]int, error) {
	number := func(name string) (int, error) {
		for d := time.Sunday; d <= time.Saturday; d++ {
			if full := d.String(); strings.EqualFold(name, full) || strings.EqualFold(name, full[:3]) {
				return int(d), nil
			}
		}
		return 0, fmt.Errorf("%q is no day of the week", name)
	}
	var days []int
	for _, part := range strings.Split(text, ",") {
		first, last, ranged := strings.Cut(part, "..")
		from, err := number(first)
		if err != nil {
			return nil, err
		}
		to := from
		if ranged {
			if to, err = number(last); err != nil {
				return nil, err
			}
		}
		// The week begins on Monday here, so that "Sat..Sun" is a range.
		if (from+6)%7 > (to+6)%7 {
			return nil, fmt.Errorf("%q goes backwards; weeks begin on Monday", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			days = append(days, d)
			if d == to {
				break
			}
		}
	}
	slices.Sort(days)
	return slices.Compact(days), nil
}

// Next returns the first moment after t, and false if there is none in the next
// forty years, within which every weekday has met every 29th of February.
func (c Calendar) Next(t time.Time) (time.Time, bool) {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	for range 40*366 + 1 {
		if c.dayMatches(day) {
			if at, ok := c.within(day, t); ok {
				return at, true
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, false
}

func (c Calendar) dayMatches(day time.Time) bool {
	return (len(c.years) == 0 || slices.Contains(c.years, day.Year())) &&
		(len(c.weekdays) == 0 || slices.Contains(c.weekdays, int(day.Weekday()))) &&
		slices.Contains(c.months, int(day.Month())) && slices.Contains(c.days, day.Day())
}

// within returns the first moment of a day that is after t.
func (c Calendar) within(day, t time.Time) (time.Time, bool) {
	for _, h := range c.hours {
		if day.Add(time.Duration(h+1)*time.Hour).Compare(t) <= 0 {
			continue
		}
		for _, m := range c.minutes {
			for _, s := range c.seconds {
				at := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
				if at.After(t) {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}
