package etcdctl_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A transcript is a file of commands and what they print:
//
//	# text           a remark
//	$ ARGS           runs the command
//	& ARGS           begins it in the background, until it watches or has ended
//	% until N        waits until the one in the background has printed N lines
//	% untilerr N     the same, of its stderr
//	% again          waits until it has asked anew, after an event of the last % http
//	% interrupt      interrupts it, as CTRL+C would
//	% wait           waits for it to end; its output stands here
//	% stdin TEXT     is what the next command reads, with Go's escapes
//	% env NAME=VALUE is in the environment of the next command
//	% http METHOD PATH [FORM]  a request of the test's own
//	% stop N         ends member N
//	% retry          repeats the next command until it succeeds
//	% settle         waits until all members that run are healthy
//	% anyorder       order of lines and who leads are not compared from here on
//	% blind          indexes are not compared from here on
//	| TEXT           a line of stdout
//	! TEXT           a line of stderr
//	~                the line before has no newline
//	...¬             the line ends in a space
//	= N              the exit code, unless 0
//
//	+ LINE           what we print instead of all the above; "+" alone is nothing
//
// Help is shown as <help of COMMAND>. Arguments are split at spaces, '...' keeps them together. {c1}, {p1} and {id1}
// are the first member's client URL, peer URL and id, {c} all client URLs, {+3} is
// the index after the third write, {tmp} is a directory of the test's. Output has the same in angle brackets.
type transcript struct{ steps []step }

type step struct {
	line int
	// head is the line of the step as written, want the output that follows, ours
	// what replaces it where we differ.
	head       string
	want, ours []string
}

func readTranscript(t *testing.T, path string) transcript {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tr transcript
	scanner := bufio.NewScanner(bytes.NewReader(raw))
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		text := scanner.Text()
		switch {
		case text == "" || strings.ContainsAny(text[:1], "$&%#"):
			tr.steps = append(tr.steps, step{line: n, head: text})
		case len(tr.steps) == 0 || !strings.ContainsAny(text[:1], "|!~=+"):
			t.Fatalf("%s:%d: neither a command nor output: %q", path, n, text)
		default:
			last := &tr.steps[len(tr.steps)-1]
			if text[0] == '+' {
				last.ours = append(last.ours, strings.TrimPrefix(text[1:], " "))
				continue
			}
			last.want = append(last.want, text)
		}
	}
	return tr
}

// write puts the transcript down with what was printed this time.
func (tr transcript) write(t *testing.T, path string, got [][]string) {
	t.Helper()
	var out strings.Builder
	for i, s := range tr.steps {
		out.WriteString(s.head + "\n")
		for _, l := range got[i] {
			out.WriteString(l + "\n")
		}
		for _, l := range s.ours {
			out.WriteString(strings.TrimSpace("+ "+l) + "\n")
		}
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// split cuts a line into arguments.
func split(line string) []string {
	var args []string
	var arg strings.Builder
	quoted, some := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, some = !quoted, true
		case c == ' ' && !quoted:
			if some {
				args = append(args, arg.String())
			}
			arg.Reset()
			some = false
		default:
			arg.WriteRune(c)
			some = true
		}
	}
	if some {
		args = append(args, arg.String())
	}
	return args
}

// printed is what one command left behind.
type printed struct {
	stdout, stderr string
	code           int
}

func (p printed) lines() []string {
	out := append(marked("| ", p.stdout), marked("! ", p.stderr)...)
	if p.code != 0 {
		out = append(out, fmt.Sprintf("= %d", p.code))
	}
	return out
}

func marked(mark, text string) []string {
	if text == "" {
		return nil
	}
	whole := strings.HasSuffix(text, "\n")
	var out []string
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case l == "":
			l = strings.TrimSpace(mark)
		case strings.HasSuffix(l, " "):
			l = mark + l + "¬"
		default:
			l = mark + l
		}
		out = append(out, l)
	}
	if !whole {
		out = append(out, "~")
	}
	return out
}

// names puts names in the place of what differs between two runs.
type names struct {
	clients, peers []string
	ids            []string
	tmp            string
	base           uint64
	// blind hides all indexes, leaderless who leads.
	blind, leaderless bool
}

var (
	help        = regexp.MustCompile(`(?s)NAME:\n   ([a-z -]*?) - .*`)
	placeholder = regexp.MustCompile(`\{[^{} ]*\}`)
	memberID    = regexp.MustCompile(`\b[0-9a-f]{13,16}\b`)
	indexed     = regexp.MustCompile(`(\[|INDEX=|[iI]ndex(?:"|): ?|/)(\d+)(\]|\n|,|\}|$)`)
	compared    = []*regexp.Regexp{regexp.MustCompile(`(\[)(\d{1,19})( != )`), regexp.MustCompile(`( != )(\d{1,19})(\])`)}
	logged      = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ I`)
	founders    = regexp.MustCompile(`(ETCD_INITIAL_CLUSTER=")([^"]*)`)
	inOrder     = regexp.MustCompile(`\b0{10}\d{10}\b`)
	raftFields  = regexp.MustCompile(`(?m)^(X-)?(X-Raft-Index|X-Raft-Term|Raft-Index|Raft-Term): \d+$`)
	expiration  = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| \+0000 UTC)`)
	openPort    = regexp.MustCompile(`127\.0\.0\.1:\d{5}->`)
	isLeader    = regexp.MustCompile(`isLeader=(true|false)`)
	took        = regexp.MustCompile(`\d+(\.\d+)?(µs|ms)`)
)

// fill puts values into a command.
func (n *names) fill(t *testing.T, text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(ph string) string {
		name := ph[1 : len(ph)-1]
		kind := strings.TrimRight(name, "0123456789")
		i, err := strconv.Atoi(name[len(kind):])
		switch {
		case name == "c":
			return strings.Join(n.clients, ",")
		case name == "tmp":
			return n.tmp
		case kind == "+" && err == nil:
			return fmt.Sprint(n.base + uint64(i))
		case kind == "c" && err == nil && i <= len(n.clients):
			return n.clients[i-1]
		case kind == "p" && err == nil && i <= len(n.peers):
			return n.peers[i-1]
		case kind == "id" && err == nil && i <= len(n.ids):
			return n.ids[i-1]
		}
		return ph
	})
}

// hide puts names for values into output.
func (n *names) hide(text string) string {
	text = help.ReplaceAllString(text, "<help of $1>\n")
	for i, u := range n.clients {
		text = strings.ReplaceAll(text, u, fmt.Sprintf("<c%d>", i+1))
		text = strings.ReplaceAll(text, strings.TrimPrefix(u, "http://"), fmt.Sprintf("<c%d-host>", i+1))
	}
	for i, u := range n.peers {
		text = strings.ReplaceAll(text, u, fmt.Sprintf("<p%d>", i+1))
	}
	text = strings.ReplaceAll(text, n.tmp, "<tmp>")
	text = memberID.ReplaceAllStringFunc(text, func(id string) string {
		for i, known := range n.ids {
			if known == id {
				return fmt.Sprintf("<id%d>", i+1)
			}
		}
		n.ids = append(n.ids, id)
		return fmt.Sprintf("<id%d>", len(n.ids))
	})
	relative := func(digits string) string {
		v, err := strconv.ParseUint(digits, 10, 64)
		switch {
		case n.blind:
			return "<+>"
		case err != nil || v < n.base:
			return digits
		}
		return fmt.Sprintf("<+%d>", v-n.base)
	}
	text = inOrder.ReplaceAllStringFunc(text, relative)
	for _, side := range compared {
		text = side.ReplaceAllStringFunc(text, func(m string) string {
			part := side.FindStringSubmatch(m)
			return part[1] + relative(part[2]) + part[3]
		})
	}
	text = indexed.ReplaceAllStringFunc(text, func(m string) string {
		part := indexed.FindStringSubmatch(m)
		return part[1] + relative(part[2]) + part[3]
	})
	text = raftFields.ReplaceAllString(text, "${2}: <n>")
	text = openPort.ReplaceAllString(text, "<port>->")
	text = took.ReplaceAllString(text, "<time>")
	text = logged.ReplaceAllString(text, "<date> I")
	if n.leaderless {
		text = isLeader.ReplaceAllString(text, "isLeader=<bool>")
		text = founders.ReplaceAllStringFunc(text, func(m string) string {
			part := founders.FindStringSubmatch(m)
			list := strings.Split(part[2], ",")
			slices.Sort(list)
			return part[1] + strings.Join(list, ",")
		})
	}
	return expiration.ReplaceAllString(text, "<date>")
}
