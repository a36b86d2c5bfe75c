package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"drydock/node/supervise"
	"drydock/node/unit"
)

// searchPath is where programs are looked for, and what units find in $PATH.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxEnvironmentFile bounds a file of variables, in bytes.
const maxEnvironmentFile = 1 << 20

// environment is a set of variables; a later one replaces an earlier.
type environment struct {
	values map[string]string
}

func (e *environment) set(name, value string) {
	if e.values == nil {
		e.values = make(map[string]string)
	}
	e.values[name] = value
}

func (e *environment) add(assignments []string) {
	for _, a := range assignments {
		if name, value, ok := strings.Cut(a, "="); ok {
			e.set(name, value)
		}
	}
}

// list returns the variables as a process gets them, sorted.
func (e *environment) list() []string {
	var list []string
	for name, value := range e.values {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

func (e *environment) lookup(name string) (string, bool) {
	v, ok := e.values[name]
	return v, ok
}

// compose puts together what a process finds in its environment. Variables that
// only the process itself can know ($LISTEN_PID) are added in it.
func compose(a supervise.Spawn, c *unit.Context, who account, invocation string, mainPID int) (*environment, error) {
	env := &environment{}
	env.set("PATH", searchPath)
	if lang, ok := os.LookupEnv("LANG"); ok {
		env.set("LANG", lang)
	}
	if c.User != "" {
		env.add([]string{"USER=" + who.name, "LOGNAME=" + who.name, "HOME=" + who.home, "SHELL=" + who.shell})
	}
	env.set("INVOCATION_ID", invocation)
	for _, name := range c.PassEnvironment {
		if v, ok := os.LookupEnv(name); ok {
			env.set(name, v)
		}
	}
	env.add(c.Environment)
	for _, file := range c.EnvironmentFiles {
		assignments, err := readEnvironment(file)
		if err != nil {
			return nil, err
		}
		env.add(assignments)
	}
	env.add(a.Env)
	if mainPID > 0 {
		env.set("MAINPID", strconv.Itoa(mainPID))
	}
	if a.Watchdog > 0 {
		env.set("WATCHDOG_USEC", strconv.FormatInt(int64(a.Watchdog/time.Microsecond), 10))
	}
	for _, name := range c.UnsetEnvironment {
		name, value, pair := strings.Cut(name, "=")
		if !pair || env.values[name] == value {
			delete(env.values, name)
		}
	}
	return env, nil
}

// readEnvironment reads the files that an EnvironmentFile= names.
func readEnvironment(pattern string) ([]string, error) {
	pattern, optional := strings.CutPrefix(pattern, "-")
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("EnvironmentFile=%s: %w", pattern, err)
		}
		if names = found; len(found) == 0 && !optional {
			return nil, fmt.Errorf("EnvironmentFile=%s: no such file", pattern)
		}
	}
	var all []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		switch {
		case err != nil && optional:
			continue
		case err != nil:
			return nil, fmt.Errorf("EnvironmentFile: %w", err)
		case len(text) > maxEnvironmentFile:
			return nil, fmt.Errorf("EnvironmentFile=%s: more than %d bytes", name, maxEnvironmentFile)
		}
		all = append(all, parseEnvironment(string(text))...)
	}
	return all, nil
}

// parseEnvironment reads lines of NAME=VALUE as systemd does: "#" and ";" begin a
// comment, quotes may stand around values or parts of them, a backslash at the end
// of a line joins it with the next, and what isn't an assignment is left out.
func parseEnvironment(text string) []string {
	var found []string
	for text != "" {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			break
		}
		if text[0] == '#' || text[0] == ';' {
			_, text, _ = strings.Cut(text, "\n")
			continue
		}
		end := strings.IndexAny(text, "=\n")
		if end < 0 {
			break
		}
		name := strings.TrimRight(text[:end], " \t\r")
		if text[end] == '\n' {
			text = text[end+1:]
			continue
		}
		var value string
		value, text = parseValue(text[end+1:])
		if isName(name) && strings.IndexByte(value, 0) < 0 {
			found = append(found, name+"="+value)
		}
	}
	return found
}

// parseValue reads a value up to the end of its line, and returns the rest.
func parseValue(text string) (value, rest string) {
	text = strings.TrimLeft(text, " \t")
	var b strings.Builder
	quote, solid := byte(0), 0 // solid is up to where blanks at the end count
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if text[i] == '\n' {
				continue
			}
			if quote == '"' && !strings.ContainsRune("\"\\`$", rune(text[i])) {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
			solid = b.Len()
		case quote != 0 && c == quote:
			quote, solid = 0, b.Len()
		case quote != 0:
			b.WriteByte(c)
			solid = b.Len()
		case c == '\n':
			return trim(b.String(), solid), text[i+1:]
		case c == '"' || c == '\'':
			quote = c
		default:
			b.WriteByte(c)
		}
	}
	return trim(b.String(), solid), ""
}

// trim takes blanks from the end of a value, but for the first n bytes.
func trim(value string, n int) string {
	return value[:n] + strings.TrimRight(value[n:], " \t\r")
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
