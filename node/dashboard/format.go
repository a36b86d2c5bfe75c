package dashboard

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"drydock/node/world"
)

// funcs are what templates may call.
var funcs = template.FuncMap{
	"asset":   func(name string) string { return Base + "static/" + name + "?" + assets[name].tag },
	"keyURL":  keyURL,
	"watch":   watchURL,
	"changes": changesURL,
	"number":  func(n int) string { return count(uint64(n)) },
	"left":    left,
	"pieces":  pieces,
}

// escapeKey writes a key as a path of a URL, without the first slash.
func escapeKey(key string) string {
	parts := strings.Split(strings.TrimPrefix(key, "/"), "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

func keyURL(key string) string     { return Base + "keys/" + escapeKey(key) }
func watchURL(key string) string   { return Base + "watch/" + escapeKey(key) }
func changesURL(key string) string { return Base + "changes/" + escapeKey(key) }

// pieces cuts a URL where a line may end.
func pieces(u string) []string {
	var list []string
	from := 0
	for i := 1; i < len(u); i++ {
		port := u[i] == ':' && !strings.HasPrefix(u[i:], "://")
		if port || u[i-1] == '.' || u[i-1] == '-' || (u[i-1] == '/' && u[i] != '/') {
			list = append(list, u[from:i])
			from = i
		}
	}
	return append(list, u[from:])
}

// count writes a number with its thousands apart.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is "1 key", "2 keys".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(uint64(n)) + " " + noun + "s"
}

// left writes seconds as people say them; the script counts them down and writes
// them alike.
func left(seconds int64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	case seconds < 48*3600:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("%d days", seconds/86400)
}

// millis writes a round trip.
func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 0.1:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// rate writes how many a second.
func rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return strings.TrimSuffix(strconv.FormatFloat(perSecond, 'f', 1, 64), ".0")
	}
	return count(uint64(perSecond + 0.5))
}

func memberID(id world.MemberID) string { return strconv.FormatUint(uint64(id), 16) }

// list is "a", "a and b", "a, b and c".
func list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
