package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// compare lists how an answer differs from what was recorded.
func (p *player) compare(e *expectation, x *exchange, st *step) []string {
	var diffs []string
	add := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	if x.resp.Status != e.Status {
		add("status %d, not %d: %s", x.resp.Status, e.Status, x.body)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		want, got := e.Headers[name], x.resp.Get(name)
		if offset, ok := strings.CutPrefix(want, "@"); ok {
			want = p.index(offset)
		}
		if !p.matches(want, got, x.at) {
			add("header %s: %q, not %q", name, got, want)
		}
	}
	for _, name := range e.Absent {
		if got := x.resp.Get(name); got != "" {
			add("header %s: %q, not absent", name, got)
		}
	}
	switch {
	case e.Pending:
		if x.ended {
			add("ended: %s", x.body)
		}
	case e.Closed:
		if !x.ended || len(x.body) > 0 {
			add("not an empty end: %s", x.body)
		}
	case e.Events != nil:
		got := splitJSON(x.body)
		// The recorder stopped reading at as many events as it asked for.
		got = got[:min(len(got), st.Events)]
		if len(got) != len(e.Events) {
			add("%d events, not %d: %s", len(got), len(e.Events), x.body)
			break
		}
		for i := range got {
			p.compareJSON(fmt.Sprintf("event %d", i), e.Events[i], got[i], x, &diffs)
		}
	case e.Text != nil:
		if !p.matches(*e.Text, string(x.body), x.at) {
			add("body %q, not %q", x.body, *e.Text)
		}
	case e.JSON != nil:
		p.compareBody(e, x, &diffs)
	}
	return diffs
}

func (p *player) compareBody(e *expectation, x *exchange, diffs *[]string) {
	got, err := decodeJSON(x.body)
	if err != nil {
		*diffs = append(*diffs, err.Error())
		return
	}
	if e.OnlyP {
		p.onlyPrefix(got)
	}
	want := copyJSON(e.JSON)
	if e.Unordered {
		p.sortNodes(want)
		p.sortNodes(got)
	}
	p.diff("body", want, got, x.at, diffs)
	if e.KeyOrder != "" && keyOrder(x.body) != e.KeyOrder {
		*diffs = append(*diffs, fmt.Sprintf("keys %s, not %s", keyOrder(x.body), e.KeyOrder))
	}
	if e.Newline != nil && bytes.HasSuffix(x.body, []byte("\n")) != *e.Newline {
		*diffs = append(*diffs, fmt.Sprintf("newline at the end: not %v", *e.Newline))
	}
}

func (p *player) compareJSON(at string, want any, raw []byte, x *exchange, diffs *[]string) {
	got, err := decodeJSON(raw)
	if err != nil {
		*diffs = append(*diffs, at+": "+err.Error())
		return
	}
	p.diff(at, want, got, x.at, diffs)
}

func (p *player) index(offset string) string {
	n, _ := strconv.ParseInt(offset, 10, 64)
	return strconv.FormatInt(p.base+n, 10)
}

// diff compares JSON values; strings of want may be masks.
func (p *player) diff(at string, want, got any, now time.Time, diffs *[]string) {
	add := func(format string, args ...any) {
		*diffs = append(*diffs, at+": "+fmt.Sprintf(format, args...))
	}
	switch w := want.(type) {
	case map[string]any:
		if literal, ok := w["$lit"]; ok {
			if literal != got {
				add("%v, not %v", got, literal)
			}
			return
		}
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			add("%v, not %v", got, want)
			return
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			p.diff(at+"."+k, w[k], g[p.expand(k)], now, diffs)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			add("%v, not %v", got, want)
			return
		}
		for i := range w {
			p.diff(fmt.Sprintf("%s[%d]", at, i), w[i], g[i], now, diffs)
		}
	case string:
		p.diffScalar(at, w, got, now, diffs)
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) {
			add("%v, not %v", got, want)
		}
	}
}

// diffScalar also tells numbers from strings, by what the mask stands for.
func (p *player) diffScalar(at, want string, got any, now time.Time, diffs *[]string) {
	number, isNumber := got.(json.Number)
	text, isString := got.(string)
	if offset, ok := strings.CutPrefix(want, "@"); ok {
		if !isNumber || number.String() != p.index(offset) {
			*diffs = append(*diffs, fmt.Sprintf("%s: %v, not %s (%s)", at, got, p.index(offset), want))
		}
		return
	}
	mask, _, _ := strings.Cut(strings.Trim(want, "<>"), ":")
	wantNumber := strings.HasPrefix(want, "<") && slices.Contains([]string{"num", "ttl", "eq", "ge"}, mask)
	if isNumber {
		text = number.String()
	}
	if want != "<any>" && (isNumber != wantNumber || isString == wantNumber || !p.matches(want, text, now)) {
		*diffs = append(*diffs, fmt.Sprintf("%s: %v, not %s", at, got, want))
	}
}

// matches compares a scalar's text with a mask or a template.
func (p *player) matches(want, got string, now time.Time) bool {
	inner, isMask := strings.CutPrefix(want, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	name, arg, _ := strings.Cut(inner, ":")
	if !isMask || !closed || maskNames[name] == nil {
		return p.expand(want) == got
	}
	return maskNames[name](p, arg, got, now)
}

var (
	numberText = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	hexText    = regexp.MustCompile(`^[0-9a-f]+$`)
)

var maskNames = map[string]func(p *player, arg, got string, now time.Time) bool{
	"any": func(*player, string, string, time.Time) bool { return true },
	"num": func(_ *player, _, got string, _ time.Time) bool { return numberText.MatchString(got) },
	"hex": func(_ *player, _, got string, _ time.Time) bool { return hexText.MatchString(got) },
	"time": func(_ *player, _, got string, _ time.Time) bool {
		_, err := time.Parse(time.RFC3339Nano, got)
		return err == nil
	},
	"re": func(p *player, arg, got string, _ time.Time) bool {
		return regexp.MustCompile("^(?:" + p.expand(arg) + ")$").MatchString(got)
	},
	"ttl": func(_ *player, arg, got string, _ time.Time) bool {
		want, _ := strconv.ParseInt(arg, 10, 64)
		n, err := strconv.ParseInt(got, 10, 64)
		return err == nil && n >= want-2 && n <= want+2
	},
	"exp": func(_ *player, arg, got string, now time.Time) bool {
		want, _ := strconv.ParseInt(arg, 10, 64)
		end, err := time.Parse(time.RFC3339Nano, got)
		off := end.Sub(now) - time.Duration(want)*time.Second
		return err == nil && strings.HasSuffix(got, "Z") && off.Abs() <= 4*time.Second
	},
	"eq": func(p *player, arg, got string, _ time.Time) bool {
		name, offset, _ := strings.Cut(arg, "+")
		base, _ := strconv.ParseInt(p.vars[name], 10, 64)
		n, _ := strconv.ParseInt(offset, 10, 64)
		return got == strconv.FormatInt(base+n, 10)
	},
	"ge": func(p *player, arg, got string, _ time.Time) bool {
		base, _ := strconv.ParseInt(p.vars[arg], 10, 64)
		n, err := strconv.ParseInt(got, 10, 64)
		return err == nil && n >= base
	},
	"sha": func(_ *player, arg, got string, _ time.Time) bool {
		return fmt.Sprintf("%x:%d", sha256.Sum256([]byte(got)), len(got)) == arg
	},
}

// onlyPrefix drops what is not the case's own from the listing of the root.
func (p *player) onlyPrefix(v any) {
	answer, _ := v.(map[string]any)
	node, _ := answer["node"].(map[string]any)
	nodes, _ := node["nodes"].([]any)
	if nodes != nil {
		node["nodes"] = slices.DeleteFunc(nodes, func(n any) bool {
			return !strings.Contains(fmt.Sprint(n.(map[string]any)["key"]), p.prefix[1:])
		})
	}
}

// sortNodes puts every listing in the order of its keys.
func (p *player) sortNodes(v any) {
	switch x := v.(type) {
	case map[string]any:
		if nodes, ok := x["nodes"].([]any); ok {
			key := func(i int) string { return p.expand(fmt.Sprint(nodes[i].(map[string]any)["key"])) }
			sort.SliceStable(nodes, func(i, j int) bool { return key(i) < key(j) })
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			p.sortNodes(x[k])
		}
	case []any:
		for _, e := range x {
			p.sortNodes(e)
		}
	}
}

func copyJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	c, err := decodeJSON(b)
	if err != nil {
		panic(err)
	}
	return c
}

// keyOrder is a body's brackets and keys, each key followed by a comma.
func keyOrder(b []byte) string {
	d := json.NewDecoder(bytes.NewReader(b))
	var out strings.Builder
	var walk func()
	walk = func() {
		t, err := d.Token()
		open, ok := t.(json.Delim)
		if err != nil || !ok {
			return
		}
		out.WriteString(open.String())
		for d.More() {
			if open == '{' {
				name, _ := d.Token()
				fmt.Fprintf(&out, "%v,", name)
			}
			walk()
		}
		end, _ := d.Token()
		fmt.Fprint(&out, end)
	}
	walk()
	return out.String()
}
