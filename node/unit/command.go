package unit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Command is one command of an Exec option.
type Command struct {
	// Path is the program's file: absolute, or a name that is looked for in the
	// machine's directories of programs.
	Path string
	// Args is its argument vector, the program's name first, which "@" sets apart
	// from the path. Variables in it are not replaced yet: Argv does that.
	Args []string
	// IgnoreFailure takes any end for a success ("-").
	IgnoreFailure bool
	// NoExpand leaves variables in the arguments alone (":").
	NoExpand bool
	// Privileged runs it without the unit's user and group ("+", "!", "!!").
	Privileged bool
}

// parseCommands reads a line of commands, split by semicolons that stand alone.
func parseCommands(line string, name Name, facts Facts) ([]Command, error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	var commands []Command
	for len(words) > 0 {
		end := slices.IndexFunc(words, func(w word) bool { return w.bare == ";" })
		if end == 0 {
			words = words[1:]
			continue
		} else if end < 0 {
			end = len(words)
		}
		c, err := parseCommand(words[:end], name, facts)
		if err != nil {
			return nil, err
		}
		commands = append(commands, c)
		words = words[end:]
	}
	return commands, nil
}

// parseCommand reads the words of one command.
func parseCommand(words []word, name Name, facts Facts) (Command, error) {
	var c Command
	first, ownName, err := c.prefixes(words[0].text)
	if err != nil {
		return Command{}, err
	}
	if c.Path, err = Expand(first, name, facts); err != nil {
		return Command{}, err
	}
	if err := checkProgram(c.Path); err != nil {
		return Command{}, err
	}
	c.Path = path.Clean(c.Path)
	if ownName && len(words) == 1 {
		return Command{}, errors.New(`"@" wants the program's name behind its path`)
	}
	if !ownName {
		c.Args = append(c.Args, c.Path)
	}
	for _, w := range words[1:] {
		if w.bare == `\;` {
			c.Args = append(c.Args, ";")
			continue
		}
		arg, err := Expand(w.text, name, facts)
		if err != nil {
			return Command{}, err
		}
		c.Args = append(c.Args, arg)
	}
	return c, nil
}

// prefixes takes the characters off that stand before the path, and says whether
// "@" was among them.
func (c *Command) prefixes(s string) (rest string, ownName bool, err error) {
	for i := range len(s) {
		seen := false
		switch s[i] {
		case '-':
			seen, c.IgnoreFailure = c.IgnoreFailure, true
		case '@':
			seen, ownName = ownName, true
		case ':':
			seen, c.NoExpand = c.NoExpand, true
		case '+', '!':
			second := s[i] == '!' && i > 0 && s[i-1] == '!' && strings.Count(s[:i], "!") == 1
			seen, c.Privileged = c.Privileged && !second, true
		default:
			return s[i:], ownName, nil
		}
		if seen {
			return "", false, fmt.Errorf("the prefix %q is one too many", s[i])
		}
	}
	return "", false, errors.New("there is no program")
}

// checkProgram refuses what can't be a program's file.
func checkProgram(s string) error {
	switch {
	case s == "":
		return errors.New("there is no program")
	case strings.HasSuffix(s, "/"):
		return fmt.Errorf("%s is a directory, not a program", quote(s))
	case strings.Contains(s, "/") && !path.IsAbs(s):
		return fmt.Errorf("%s is neither an absolute path nor a program's name", quote(s))
	}
	return nil
}

// Argv returns the arguments with variables replaced: ${NAME} anywhere, and
// $NAME where it is a whole word, which then is split at blanks into as many
// words as it has, perhaps none. "$$" is a dollar sign. A variable that lookup
// doesn't have is empty. The first, the program's name, stays as it is.
func (c Command) Argv(lookup func(name string) (string, bool)) []string {
	if c.NoExpand || len(c.Args) == 0 {
		return c.Args
	}
	argv := []string{c.Args[0]}
	for _, arg := range c.Args[1:] {
		if name, ok := strings.CutPrefix(arg, "$"); ok && isVariable(name) {
			v, _ := lookup(name)
			words, err := splitWords(v)
			if err != nil { // a value with a stray quote is split as it stands
				words = nil
				argv = append(argv, strings.Fields(v)...)
			}
			for _, w := range words {
				argv = append(argv, w.text)
			}
			continue
		}
		argv = append(argv, replaceVariables(arg, lookup))
	}
	return argv
}

// replaceVariables replaces ${NAME} and $$.
func replaceVariables(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		inner, after, closed := strings.Cut(strings.TrimPrefix(rest, "{"), "}")
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{") && closed && isVariable(inner):
			v, _ := lookup(inner)
			b.WriteString(v)
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}

// isVariable says whether a variable can have this name.
func isVariable(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	return s != "" && strings.Trim(s, letters+"0123456789") == "" && strings.IndexByte(letters, s[0]) >= 0
}
