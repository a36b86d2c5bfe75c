package labworld

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/sim/history"
	"drydock/vmlab/lab"
)

// How often consoles are read, and members asked how far they are.
const (
	consoleEvery = 10 * time.Millisecond
	appliedEvery = 100 * time.Millisecond
	heldEvery    = 40 * time.Millisecond
	// sizesEvery is how many looks there are for each time that sizes are written down.
	sizesEvery = 10
)

// leadsForm is what a node writes to its console when it is elected.
var leadsForm = regexp.MustCompile(`this member leads\b.* term=([0-9]+)`)

// watch sees who leads, by what nodes write to their consoles, and how far members
// are, by asking them.
type watch struct {
	r     *run
	files map[string]*console
	asks  sync.WaitGroup
	// leading led the newest term; lostAt is when a fault took it away, 0 if none did.
	leading string
	term    uint64
	lostAt  time.Duration
}

// console is how far one was read.
type console struct {
	at   int64
	part string
}

func newWatch(r *run) *watch {
	w := &watch{r: r, files: map[string]*console{}}
	for i := range r.site.Machines {
		w.files[r.site.Machines[i].Name] = new(console)
	}
	return w
}

// follow reads consoles until ctx ends.
func (w *watch) follow(ctx context.Context) {
	for {
		for i := range w.r.site.Machines {
			name := w.r.site.Machines[i].Name
			for _, line := range w.files[name].more(w.r.site.Console(name)) {
				w.line(name, line)
			}
		}
		if rest(ctx, consoleEvery) != nil {
			return
		}
	}
}

// more returns a console's new lines.
func (c *console) more(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil // the machine has not been on
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(c.at, io.SeekStart); err != nil {
		return nil
	}
	text, err := io.ReadAll(bufio.NewReader(f))
	if err != nil {
		return nil
	}
	c.at += int64(len(text))
	lines := strings.Split(c.part+string(text), "\n")
	c.part = lines[len(lines)-1]
	return lines[:len(lines)-1]
}

// stampForm is how nodes begin the lines of their logs, in the host's local time.
const stampForm = "2006 Jan 02 15:04:05.000"

// line takes note of an election.
func (w *watch) line(name, line string) {
	parts := leadsForm.FindStringSubmatch(line)
	if parts == nil {
		if strings.Contains(line, "panic:") || strings.Contains(line, "fatal error:") {
			w.r.stage.post(func() { w.r.res.Broken = append(w.r.res.Broken, name+": "+line) })
		}
		return
	}
	term, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return
	}
	at := w.r.stage.now()
	if len(line) >= len(stampForm)-5 {
		year := strconv.Itoa(time.Now().Year())
		if t, err := time.ParseInLocation(stampForm, year+" "+line[:len(stampForm)-5], time.Local); err == nil {
			at = max(0, t.Sub(w.r.stage.began))
		}
	}
	w.r.stage.post(func() { w.led(history.Led{Time: int64(at), Node: name, Term: term}) })
}

// led takes in that a member leads; it is called on the stage.
func (w *watch) led(l history.Led) {
	w.r.res.Led = append(w.r.res.Led, l)
	if l.Term > w.term {
		text := fmt.Sprintf("%s leads, term %d", l.Node, l.Term)
		if w.lostAt > 0 {
			text += fmt.Sprintf("; %.3fs without a leader", (time.Duration(l.Time) - w.lostAt).Seconds())
		}
		w.leading, w.term, w.lostAt = l.Node, l.Term, 0
		w.r.mark(time.Duration(l.Time), l.Node, text, runner.MarkLeader)
	}
	w.r.conduct.Event(string(chaos.EventLeaderElected), l.Node)
}

// gone is told when a fault takes the leader away.
func (w *watch) gone(at time.Duration) {
	if w.lostAt == 0 {
		w.lostAt = at
	}
}

// healthy asks a member whether it is.
func (r *run) healthy(ctx context.Context, m *lab.Machine) bool {
	var answer struct {
		Health string `json:"health"`
	}
	return r.get(ctx, m, "/health", &answer) == nil && answer.Health == "true"
}

// get reads a JSON answer of a machine's node.
func (r *run) get(ctx context.Context, m *lab.Machine, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.ClientURL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return err
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	return errors.Join(err, resp.Body.Close())
}

// lastLines returns the end of a console.
func lastLines(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
