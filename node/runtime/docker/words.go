package docker

import "strings"

// shellWords splits a shell's script into words, as far as it takes to find
// commands in it: quotes and backslashes are read, and what separates commands is
// a word of its own, but for that nothing is expanded.
func shellWords(script string) []string {
	var words []string
	var word strings.Builder
	open := false // a word has begun
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for i := 0; i < len(script); i++ {
		switch c := script[i]; c {
		case ' ', '\t':
			end()
		case '\n', ';', '&', '|', '(', ')':
			end()
			words = append(words, string(c))
		case '\\':
			if i++; i < len(script) && script[i] != '\n' {
				word.WriteByte(script[i])
				open = true
			}
		case '\'', '"':
			text, used := quoted(script[i+1:], c)
			word.WriteString(text)
			open = true
			i += used
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	return words
}

// quoted reads up to a closing quote, and returns how many bytes it took.
func quoted(s string, quote byte) (text string, used int) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String(), i + 1
		case s[i] == '\\' && quote == '"' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s)
}

// isSeparator says whether a word of shellWords ends a command.
func isSeparator(word string) bool {
	return len(word) == 1 && strings.ContainsAny(word, "\n;&|()")
}
