package unit

// Lex takes a text apart without minding what it means.
func Lex(text string) ([]Option, error) {
	options, _, err := lex(text)
	return options, err
}

// Render, SplitWords, ParseSpan and ParseSize are shown to the tests.
var (
	Render    = render
	ParseSpan = parseSpan
	ParseSize = parseSize
)

// SplitWords returns the texts of a line's words.
func SplitWords(line string) ([]string, error) {
	words, err := splitWords(line)
	var out []string
	for _, w := range words {
		out = append(out, w.text)
	}
	return out, err
}

// ParseCommands reads a line of an Exec option.
func ParseCommands(line string, name Name) ([]Command, error) {
	return parseCommands(line, name, Facts{})
}
