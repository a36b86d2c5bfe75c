package cloudconfig

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Parse reads a cloud-config. The error is an *Error with all that is wrong.
func Parse(text []byte, vars Variables) (*Config, error) {
	r := &reader{}
	c := new(Config)
	switch first, _, _ := strings.Cut(string(text[:min(len(text), 256)]), "\n"); {
	case len(text) > MaxBytes:
		r.failAt(0, 0, "it is %d bytes long, at most %d are read", len(text), MaxBytes)
	case !utf8.Valid(text):
		r.failAt(0, 0, "it is not UTF-8")
	case strings.TrimRight(first, " \t\r") != Header:
		r.failAt(1, 1, "the first line must be %q", Header)
	default:
		r.document(r.substitute(string(text), vars), c)
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{Problems: r.problems}
	}
	return c, nil
}

// reader walks over a document and collects what is wrong.
type reader struct {
	problems []Problem
}

func (r *reader) failAt(line, column int, format string, args ...any) {
	r.problems = append(r.problems, Problem{Line: line, Column: column, What: fmt.Sprintf(format, args...)})
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	r.failAt(n.Line, n.Column, format, args...)
}

// substitute puts addresses in the variables' place; a backslash before one leaves
// it as it is, without the backslash.
func (r *reader) substitute(text string, vars Variables) string {
	values := []struct{ name, value string }{{"$private_ipv4", vars.PrivateIPv4}, {"$public_ipv4", vars.PublicIPv4}}
	var out strings.Builder
	line := 1
next:
	for i := 0; i < len(text); {
		for _, v := range values {
			if text[i] == '\\' && strings.HasPrefix(text[i+1:], v.name) {
				out.WriteString(v.name)
				i += 1 + len(v.name)
				continue next
			}
			if strings.HasPrefix(text[i:], v.name) {
				if v.value == "" {
					r.failAt(line, 0, "%s is not known on this machine", v.name)
				}
				out.WriteString(v.value)
				i += len(v.name)
				continue next
			}
		}
		if text[i] == '\n' {
			line++
		}
		out.WriteByte(text[i])
		i++
	}
	return out.String()
}

func (r *reader) document(text string, c *Config) {
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil {
		p := Problem{What: err.Error()}
		var at *yaml.LoadError
		if errors.As(err, &at) {
			p = Problem{Line: at.Mark.Line, Column: at.Mark.Column, What: strings.TrimPrefix(at.Message, "yaml: ")}
		}
		if !strings.Contains(p.What, "no documents") { // the first line alone asks for nothing
			r.problems = append(r.problems, p)
		}
		return
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	r.pairs(root, "the cloud-config", map[string]func(*yaml.Node){
		"hostname":            func(n *yaml.Node) { c.Hostname = r.hostname(n) },
		"ssh_authorized_keys": func(n *yaml.Node) { c.Keys = r.keys(n) },
		"write_files": func(n *yaml.Node) {
			r.each(n, "write_files", func(n *yaml.Node) { c.Files = append(c.Files, r.file(n)) })
		},
		"coreos": func(n *yaml.Node) {
			r.pairs(n, "coreos", map[string]func(*yaml.Node){
				"etcd":  func(n *yaml.Node) { c.Etcd = r.settings(n, "etcd", etcdSettings) },
				"fleet": func(n *yaml.Node) { c.Fleet = r.settings(n, "fleet", fleetSettings) },
				"units": func(n *yaml.Node) {
					r.each(n, "units", func(n *yaml.Node) { c.Units = append(c.Units, r.unit(n)) })
				},
			})
		},
	})
}

// unsupported are keys of the language that this package does nothing for.
var unsupported = []string{"users", "manage_etc_hosts", "etcd2", "flannel", "locksmith", "update", "oem"}

// pairs calls what is there for each key of a mapping. An empty value asks for
// nothing.
func (r *reader) pairs(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		if !isNull(n) {
			r.fail(n, "%s: want keys with values", what)
		}
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := strings.ReplaceAll(key.Value, "-", "_")
		do := known[name]
		switch first, twice := seen[name]; {
		case twice:
			r.fail(key, "%s: a second %q; the first is on line %d", what, name, first)
		case do == nil && slices.Contains(unsupported, name):
			r.fail(key, "%s: %q is not supported", what, name)
		case do == nil:
			r.fail(key, "%s: there is no key %q", what, key.Value)
		case !isNull(follow(value)):
			do(value)
		}
		seen[name] = key.Line
	}
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// each calls do for each item of a list.
func (r *reader) each(n *yaml.Node, what string, do func(*yaml.Node)) {
	n = follow(n)
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "%s: want a list", what)
		return
	}
	for _, one := range n.Content {
		do(one)
	}
}

// text is a scalar's, whatever YAML takes it for: 0644 and off are what they look
// like.
func (r *reader) text(n *yaml.Node, what string) string {
	n = follow(n)
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "%s: want a text", what)
		return ""
	}
	if strings.ContainsRune(n.Value, 0) {
		r.fail(n, "%s: it has a zero byte", what)
	}
	return n.Value
}

// line is a text without line breaks.
func (r *reader) line(n *yaml.Node, what string) string {
	s := r.text(n, what)
	if strings.ContainsAny(s, "\r\n") {
		r.fail(n, "%s: want one line", what)
	}
	return s
}

func (r *reader) truth(n *yaml.Node, what string) bool {
	is, ok := truth(r.text(n, what))
	if !ok {
		r.fail(n, "%s: want true or false", what)
	}
	return is
}

// hostname reads a name of at most 64 letters, digits, hyphens and dots.
// (hostname(7))
func (r *reader) hostname(n *yaml.Node) string {
	s := r.line(n, "hostname")
	valid := s != "" && len(s) <= 64
	for _, label := range strings.Split(s, ".") {
		valid = valid && label != "" && label[0] != '-' && label[len(label)-1] != '-' &&
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
	}
	if !valid {
		r.fail(n, "hostname: %q is not a host's name", s)
	}
	return s
}

func (r *reader) keys(n *yaml.Node) (keys []string) {
	r.each(n, "ssh_authorized_keys", func(n *yaml.Node) {
		key := strings.TrimSpace(r.text(n, "ssh_authorized_keys"))
		if key == "" || strings.ContainsAny(key, "\r\n") {
			r.fail(n, "ssh_authorized_keys: want one line for each key")
			return
		}
		keys = append(keys, key)
	})
	return keys
}

func (r *reader) settings(n *yaml.Node, section string, known []setting) (list []Setting) {
	do := map[string]func(*yaml.Node){}
	for _, s := range known {
		do[s.name] = func(n *yaml.Node) {
			what := section + "." + s.name
			value := r.line(n, what)
			if !s.takes(value) {
				r.fail(n, "%s: %q is not %s", what, value, words[s.kind])
			}
			list = append(list, Setting{s.name, value})
		}
	}
	r.pairs(n, section, do)
	return list
}

func (r *reader) file(n *yaml.Node) File {
	f := File{Mode: 0o644}
	encoding, content := "", follow(n)
	r.pairs(n, "write_files", map[string]func(*yaml.Node){
		"path":     func(n *yaml.Node) { f.Path = r.path(n) },
		"content":  func(n *yaml.Node) { content, f.Text = n, r.text(n, "content") },
		"encoding": func(n *yaml.Node) { encoding = r.line(n, "encoding") },
		"owner":    func(n *yaml.Node) { f.Owner = r.line(n, "owner") },
		"permissions": func(n *yaml.Node) {
			text := r.line(n, "permissions")
			mode, err := strconv.ParseUint(text, 8, 32)
			if err != nil || mode > 0o7777 || len(text) < 3 {
				r.fail(n, "permissions: %q is not as chmod has them: 0644", text)
			}
			f.Mode = uint32(mode)
		},
	})
	if f.Path == "" && follow(n).Kind == yaml.MappingNode {
		r.fail(n, "write_files: a file without a path")
	}
	switch encoding {
	case "":
	case "b64", "base64":
		text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.Text), ""))
		if err != nil {
			r.fail(content, "content: it is not base64")
		}
		f.Text = string(text)
	default:
		r.fail(n, "write_files: the encoding %q is not supported", encoding)
	}
	return f
}

func (r *reader) path(n *yaml.Node) string {
	p := r.line(n, "path")
	if !path.IsAbs(p) || path.Clean(p) == "/" || strings.HasSuffix(p, "/") || strings.Contains(p+"/", "/../") {
		r.fail(n, "path: %q is not the absolute path of a file", p)
	}
	return path.Clean(p)
}
