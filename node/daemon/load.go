package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load makes a configuration of what the command line says (flags: names of
// options to their texts), the environment and the YAML file, in that order of
// precedence, and checks it.
func Load(flags map[string]string, getenv func(string) string) (*Config, error) {
	options := Options()
	c := &Config{set: make(map[string]string)}
	for i := range options {
		if options[i].Default != "" {
			if err := options[i].set(c, options[i].Default); err != nil {
				return nil, fmt.Errorf("default of %s: %w", options[i].Name, err)
			}
		}
	}
	file := flags["config-file"]
	if file == "" {
		file, _ = fromEnvironment(&options[slices.IndexFunc(options, func(o Option) bool { return o.Name == "config-file" })], getenv)
	}
	if file != "" {
		if err := c.loadFile(options, file); err != nil {
			return nil, err
		}
	}
	for i := range options {
		if v, where := fromEnvironment(&options[i], getenv); v != "" {
			if err := c.assign(&options[i], v, where); err != nil {
				return nil, err
			}
		}
	}
	for i := range options {
		if v, ok := flags[options[i].Name]; ok {
			if err := c.assign(&options[i], v, "--"+options[i].Name); err != nil {
				return nil, err
			}
		}
	}
	if err := c.Normalize(); err != nil {
		return nil, err
	}
	return c, nil
}

// fromEnvironment finds an option's value and the variable that has it. What etcd
// and fleet call their variables is understood too, after the product's own: member add
// prints such, and cloud-configs of 2014 become such.
func fromEnvironment(o *Option, getenv func(string) string) (value, variable string) {
	for _, prefix := range []string{"DRYDOCK_", "ETCD_", "FLEET_"} {
		for _, name := range append([]string{o.Name}, o.Old...) {
			variable = envName(prefix, name)
			if value = getenv(variable); value != "" {
				return value, variable
			}
		}
	}
	return "", ""
}

func (c *Config) assign(o *Option, value, where string) error {
	c.set[o.Name] = where
	if err := o.set(c, value); err != nil {
		return c.errorf(o.Name, "%w", err)
	}
	return nil
}

// loadFile reads a YAML file of options. It takes etcd's files as well: there the
// certificates stand in sections of their own.
func (c *Config) loadFile(options []Option, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	entries, err := parseFile(text)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, file, err)
	}
	seen := make(map[string]int)
	for _, e := range entries {
		i := slices.IndexFunc(options, func(o Option) bool { return o.named(e.section, e.key) })
		if i < 0 {
			name := e.key
			if e.section != "" {
				name = e.section + "." + e.key
			}
			return fmt.Errorf("%w: %s:%d: there is no option %q%s", ErrConfig, file, e.line, name, nearest(e.key))
		}
		where := fmt.Sprintf("%s:%d: %s", file, e.line, options[i].Name)
		if first, twice := seen[options[i].Name]; twice {
			return fmt.Errorf("%w: %s: it stands on line %d already", ErrConfig, where, first)
		}
		seen[options[i].Name] = e.line
		if err := c.assign(&options[i], e.value, where); err != nil {
			return err
		}
	}
	return nil
}

func (o *Option) named(section, key string) bool {
	if section != "" {
		return o.Section == section && o.Key == key
	}
	return o.Name == key || slices.Contains(o.Old, key)
}

// nearest suggests the option that a wrong name may have meant.
func nearest(key string) string {
	if name := Nearest(key); name != "" {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	return ""
}

// Nearest returns the option whose name is most like a wrong one, or "".
func Nearest(key string) string {
	best, least := "", len(key)/3+2
	for _, o := range Options() {
		if d := distance(key, o.Name); d < least {
			best, least = o.Name, d
		}
		if best == "" && len(key) > 3 && strings.Contains(o.Name, key) {
			best = o.Name
		}
	}
	return best
}

// distance counts the letters to insert, remove or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// entry is one scalar of the file.
type entry struct {
	section, key, value string
	line                int
}

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// parseFile reads the scalars of a file: of the top level and of one below it.
func parseFile(text []byte) ([]entry, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%d bytes, at most %d", len(text), maxFileBytes)
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, nil
		}
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return readMapping(doc.Content[0], "", nil)
}

func readMapping(n *yaml.Node, section string, list []entry) ([]entry, error) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return list, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: a list of \"option: value\" belongs here", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: the name of an option belongs here", key.Line)
		case value.Kind == yaml.MappingNode && section == "":
			var err error
			if list, err = readMapping(value, key.Value, list); err != nil {
				return nil, err
			}
		case value.Kind == yaml.SequenceNode:
			joined, err := joinSequence(value)
			if err != nil {
				return nil, err
			}
			list = append(list, entry{section, key.Value, joined, key.Line})
		case value.Kind == yaml.ScalarNode:
			if value.Tag != "!!null" {
				list = append(list, entry{section, key.Value, value.Value, key.Line})
			}
		default:
			return nil, fmt.Errorf("line %d: %s: a plain value belongs here", value.Line, key.Value)
		}
	}
	return list, nil
}

// joinSequence makes one text of a list of URLs.
func joinSequence(n *yaml.Node) (string, error) {
	var parts []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("line %d: a plain value belongs here", item.Line)
		}
		parts = append(parts, item.Value)
	}
	if len(parts) == 0 {
		return "", errors.Join(fmt.Errorf("line %d: an empty list", n.Line))
	}
	return strings.Join(parts, ","), nil
}
