package etcdctl_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// recordWith names the folder with the original's etcd and etcdctl: the
// transcripts are then written anew from what those print.
var recordWith = flag.String("record", "", "folder of the original's programs, to record the transcripts from")

// against names the same folder: our command is then played against the original's
// servers. What our servers do otherwise, which is to say at the end of members.txt,
// fails.
var against = flag.String("against", "", "folder of the original's programs, to play our command against its servers")

// rewrite puts down what we print where that is not what the original does. Each
// such line is a decision: package etcdctl's comment has to name it.
var rewrite = flag.Bool("rewrite", false, "write our own output into the transcripts where it differs")

// call is one run of the command, and runFunc what runs it; it returns the exit
// code.
type call struct {
	args, env      []string
	stdin          string
	stdout, stderr io.Writer
}

type runFunc func(ctx context.Context, c call) int

// player plays transcripts.
type player struct {
	t       *testing.T
	cluster *cluster
	names   *names
	run     runFunc
	stdin   string
	env     []string
	behind  *background
	// watches is how many had begun before the last % http.
	watches int64
	// retry repeats the next command until it succeeds; anyOrder sorts output.
	retry, anyOrder bool
}

// background is a command that runs beside the others.
type background struct {
	stdout, stderr locked
	cancel         context.CancelFunc
	code           int
	ended          chan struct{}
}

type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			playFile(t, file)
		})
	}
}

func playFile(t *testing.T, file string) {
	size := 1
	if strings.Contains(file, "cluster") {
		size = 3
	}
	p := &player{t: t}
	if *recordWith != "" {
		p.cluster = realCluster(t, filepath.Join(*recordWith, "etcd"), size)
		p.run = realRun(filepath.Join(*recordWith, "etcdctl"))
	} else {
		p.run = ourRun
		if *against != "" {
			p.cluster = realCluster(t, filepath.Join(*against, "etcd"), size)
		} else {
			p.cluster = ourCluster(t, size)
		}
	}
	p.names = p.cluster.names(t)
	p.names.learnIndex(t)
	tr := readTranscript(t, file)
	var got [][]string
	for i, s := range tr.steps {
		lines := p.step(s)
		got = append(got, lines)
		if *recordWith != "" {
			continue
		}
		want := s.want
		if s.ours != nil {
			want = slices.DeleteFunc(slices.Clone(s.ours), func(l string) bool { return l == "" })
		}
		if len(want) == 0 {
			want = nil
		}
		if *rewrite {
			s.ours = nil
			if !slices.Equal(s.want, lines) {
				s.ours = append([]string{}, lines...)
				if len(lines) == 0 {
					s.ours = []string{""}
				}
			}
			tr.steps[i] = s
			got[i] = s.want
			continue
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%s:%d: %s (-want +got)\n%s", file, s.line, s.head, diff)
		}
	}
	if *recordWith != "" || *rewrite {
		tr.write(t, file, got)
	}
}

func (p *player) step(s step) []string {
	switch {
	case strings.HasPrefix(s.head, "$ "):
		var stdout, stderr bytes.Buffer
		c := p.call(s.head[2:])
		c.stdout, c.stderr = &stdout, &stderr
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		code := p.run(ctx, c)
		for ; p.retry && code != 0 && ctx.Err() == nil; code = p.run(ctx, c) {
			stdout.Reset()
			stderr.Reset()
		}
		p.retry = false
		out := p.show(printed{stdout.String(), stderr.String(), code})
		if p.anyOrder {
			slices.Sort(out)
		}
		return out
	case strings.HasPrefix(s.head, "& "):
		p.begin(p.call(s.head[2:]))
	case strings.HasPrefix(s.head, "% "):
		name, rest, _ := strings.Cut(s.head[2:], " ")
		return p.directive(name, rest)
	}
	return nil
}

func (p *player) show(out printed) []string {
	out.stdout, out.stderr = p.names.hide(out.stdout), p.names.hide(out.stderr)
	return out.lines()
}

// call reads a command line and takes what was prepared for it. Without an
// endpoint the first member's is given by the environment.
func (p *player) call(line string) call {
	c := call{args: split(p.names.fill(p.t, line)), stdin: p.stdin}
	c.env = append([]string{"ETCDCTL_ENDPOINTS=" + p.names.clients[0]}, p.env...)
	p.stdin, p.env = "", nil
	return c
}

func (p *player) begin(c call) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{cancel: cancel, ended: make(chan struct{})}
	c.stdout, c.stderr = &b.stdout, &b.stderr
	p.behind = b
	before := p.cluster.watches.Load()
	go func() {
		defer close(b.ended)
		b.code = p.run(ctx, c)
	}()
	p.t.Cleanup(func() { cancel(); <-b.ended })
	eventually(p.t, "the watch begins", func() error {
		select {
		case <-b.ended:
		default:
			if p.cluster.watches.Load() == before {
				return fmt.Errorf("printed %q, %q", b.stdout.String(), b.stderr.String())
			}
		}
		return nil
	})
}

func (p *player) directive(name, rest string) []string {
	rest = p.names.fill(p.t, rest)
	switch name {
	case "stdin":
		text, err := strconv.Unquote(`"` + rest + `"`)
		if err != nil {
			p.t.Fatal(err)
		}
		p.stdin = text
	case "env":
		p.env = append(p.env, rest)
	case "http":
		p.watches = p.cluster.watches.Load()
		p.request(strings.Fields(rest))
	case "stop":
		i, err := strconv.Atoi(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		m := p.cluster.members[i-1]
		m.stop()
		m.proxy.CloseClientConnections()
		m.proxy.Close()
		m.stopped = true
	case "settle":
		eventually(p.t, "the members are healthy", func() error {
			for _, m := range p.cluster.members {
				if body := get(m.proxy.URL, "/health"); !m.stopped && !strings.Contains(string(body), "true") {
					return fmt.Errorf("%s answers %s", m.proxy.URL, body)
				}
			}
			return nil
		})
	case "retry":
		p.retry = true
	case "anyorder":
		p.anyOrder, p.names.leaderless = true, true
	case "blind":
		p.names.blind = true
	case "again":
		eventually(p.t, "the watch begins anew", func() error {
			if n := p.cluster.watches.Load(); n <= p.watches {
				return fmt.Errorf("%d watches have begun", n)
			}
			return nil
		})
	case "until", "untilerr":
		out := &p.behind.stdout
		if name == "untilerr" {
			out = &p.behind.stderr
		}
		want, err := strconv.Atoi(rest)
		if err != nil {
			p.t.Fatal(err)
		}
		for deadline := time.After(patience()); ; {
			if strings.Count(out.String(), "\n") >= want {
				return nil
			}
			select {
			case <-deadline:
				return []string{"! timed out"}
			case <-time.After(5 * time.Millisecond):
			}
		}
	case "interrupt":
		p.behind.cancel()
	case "wait":
		select {
		case <-p.behind.ended:
		case <-time.After(patience()):
			p.behind.cancel()
			<-p.behind.ended
			return append(p.show(printed{p.behind.stdout.String(), p.behind.stderr.String(), p.behind.code}), "! timed out")
		}
		return p.show(printed{p.behind.stdout.String(), p.behind.stderr.String(), p.behind.code})
	default:
		p.t.Fatalf("no such directive: %s", name)
	}
	return nil
}

// patience is how long output is waited for. The original has cases where none
// comes; ours has none, and a busy machine may take its time.
func patience() time.Duration {
	if *recordWith != "" {
		return 3 * time.Second
	}
	return 20 * time.Second
}

func (p *player) request(words []string) {
	body := ""
	if len(words) > 2 {
		body = words[2]
	}
	req, err := http.NewRequest(words[0], p.names.clients[0]+words[1], strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := plain.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
}
