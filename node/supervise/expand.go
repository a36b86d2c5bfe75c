package supervise

import "strings"

// Expand returns a command's argument vector with its variables filled in, as
// systemd does: ${NAME} anywhere becomes the value, $NAME as an argument of its
// own becomes the value's words, none if it is empty, and $$ becomes $. Variables
// that are not set are empty. The name of the program is left as it is.
func (c Command) Expand(lookup func(name string) string) []string {
	if c.NoExpand || len(c.Args) == 0 {
		return c.Args
	}
	args := c.Args[:1:1]
	for _, arg := range c.Args[1:] {
		if name, ok := strings.CutPrefix(arg, "$"); ok && isVariable(name) {
			args = append(args, strings.Fields(lookup(name))...)
			continue
		}
		args = append(args, expandWord(arg, lookup))
	}
	return args
}

func expandWord(arg string, lookup func(name string) string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(arg, '$')
		if i < 0 || i+1 == len(arg) {
			return b.String() + arg
		}
		b.WriteString(arg[:i])
		rest := arg[i+1:]
		if rest[0] == '$' {
			b.WriteByte('$')
			arg = rest[1:]
			continue
		}
		if name, after, ok := strings.Cut(rest, "}"); ok && rest[0] == '{' && isVariable(name[1:]) {
			b.WriteString(lookup(name[1:]))
			arg = after
			continue
		}
		b.WriteByte('$')
		arg = rest
	}
}

// isVariable says whether s can be the name of an environment variable.
func isVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
