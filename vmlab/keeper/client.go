package keeper

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"drydock/vmlab/lab"
)

// Client talks to a lab's keeper.
type Client struct {
	store lab.Store
	http  *http.Client
}

// NewClient returns a client of the keeper of a lab; it is not called yet.
func NewClient(store lab.Store) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, f, err := socketPath(store.Dir)
		if err != nil {
			return nil, err
		}
		if f != nil {
			defer func() { _ = f.Close() }()
		}
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{store: store, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// ErrDown is matched when a lab has no keeper: it is down.
var ErrDown = errors.New("the lab is down")

// Times of calls that ask.
const (
	// answerPatience is how long a keeper may take to say something of the lab.
	answerPatience = 15 * time.Second
	// alivePatience is how long it may take to say that it is there.
	alivePatience = 5 * time.Second
)

// ErrSilent is matched when a keeper lives and does not answer.
var ErrSilent = errors.New("the lab's keeper does not answer")

// Status asks how the lab is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerPatience, ErrSilent)
	defer cancel()
	s := new(Status)
	return s, c.ask(ctx, http.MethodGet, "/status", nil, s)
}

// Access asks how to get into a machine.
func (c *Client) Access(ctx context.Context, machine string) (a lab.Access, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerPatience, ErrSilent)
	defer cancel()
	return a, c.ask(ctx, http.MethodGet, "/access/"+machine, nil, &a)
}

// Strike asks for a fault.
func (c *Client) Strike(ctx context.Context, o Order) (*Fault, error) {
	f := new(Fault)
	return f, c.ask(ctx, http.MethodPost, "/fault", o, f)
}

// Heal asks for the end of faults, of all if none are named, and returns what it
// came to.
func (c *Client) Heal(ctx context.Context, faults []int) (said []string, err error) {
	return said, c.ask(ctx, http.MethodPost, "/heal", call{Faults: faults}, &said)
}

// Faults asks what lasts.
func (c *Client) Faults(ctx context.Context) (*Faults, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerPatience, ErrSilent)
	defer cancel()
	f := new(Faults)
	return f, c.ask(ctx, http.MethodGet, "/faults", nil, f)
}

// Up has machines switched on, all if none are named, and tells what happens.
func (c *Client) Up(ctx context.Context, machines []string, tell func(Event)) error {
	return c.stream(ctx, "/up", call{Machines: machines}, tell)
}

// Restart has machines halted, all if none are named, and brought up again; now cuts
// their power.
func (c *Client) Restart(ctx context.Context, machines []string, now bool, tell func(Event)) error {
	return c.stream(ctx, "/restart", call{Machines: machines, Now: now}, tell)
}

// Halt has machines switched off, all if none are named; now cuts their power.
func (c *Client) Halt(ctx context.Context, machines []string, now bool, tell func(Event)) error {
	return c.stream(ctx, "/halt", call{Machines: machines, Now: now}, tell)
}

// Plan asks what makes the lab what is wanted.
func (c *Client) Plan(ctx context.Context, w Wanted) (*lab.Plan, error) {
	p := new(lab.Plan)
	return p, c.ask(ctx, http.MethodPost, "/plan", w, p)
}

// Apply has the lab made what is wanted.
func (c *Client) Apply(ctx context.Context, w Wanted, tell func(Event)) error {
	return c.stream(ctx, "/apply", call{Wanted: &w}, tell)
}

// Down has the lab taken down; now doesn't wait for anything to stop in good order.
func (c *Client) Down(ctx context.Context, now bool, tell func(Event)) error {
	return c.stream(ctx, "/down", call{Now: now}, tell)
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://keeper"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case err == nil:
		return resp, nil
	case errors.Is(context.Cause(ctx), ErrSilent):
		return nil, fmt.Errorf("%s: %w (its process is %d)", c.store.Name(), ErrSilent, c.store.KeeperPid())
	case c.dead(ctx):
		return nil, fmt.Errorf("%s: %w", c.store.Name(), ErrDown)
	}
	return nil, err
}

// Kill ends a keeper that does not answer, with all that it holds, and returns when it
// is gone. It tells it by its command line.
func (c *Client) Kill(ctx context.Context) error {
	pid := c.store.KeeperPid()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if pid <= 0 || err != nil || !bytes.Contains(line, []byte("\x00keep\x00"+c.store.Dir+"\x00")) {
		return fmt.Errorf("%s: %w, and its process is not to be found", c.store.Name(), ErrSilent)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	if !c.dead(ctx) {
		return fmt.Errorf("%s: %w, and outlives SIGKILL", c.store.Name(), ErrSilent)
	}
	return nil
}

// dyingPatience is how long a keeper that answers no more may take to be gone.
const dyingPatience = 3 * time.Second

// dead says whether there is no keeper, or soon none.
func (c *Client) dead(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	for end := time.After(dyingPatience); c.store.KeeperLives(); {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-end:
			return false
		}
	}
	return true
}

// ask sends a call and reads its answer.
func (c *Client) ask(ctx context.Context, method, path string, body, into any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return json.Unmarshal(text, into)
	}
	var a answer
	if json.Unmarshal(text, &a) != nil || a.Error == "" {
		return fmt.Errorf("the keeper says %s", resp.Status)
	}
	return errors.New(a.Error)
}

// ErrCut is matched when a keeper dies in the midst of an answer.
var ErrCut = errors.New("the keeper has ended in the midst of it")

// stream sends a call and tells the events of its answer.
func (c *Client) stream(ctx context.Context, path string, body call, tell func(Event)) error {
	resp, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var last answer
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return err
		}
		if last.Done || last.Error != "" {
			if last.Error != "" {
				return errors.New(last.Error)
			}
			return nil
		}
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		tell(e)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w; see %s", ErrCut, err, c.store.KeeperLog())
	}
	return fmt.Errorf("%w; see %s", ErrCut, c.store.KeeperLog())
}

// Lives says whether the lab has a keeper. One that has just been killed has its lock
// until the kernel has buried it: it doesn't count.
func (c *Client) Lives(ctx context.Context) bool {
	return c.store.KeeperLives() && (c.Answers(ctx) || !c.dead(ctx))
}

// Answers says whether there is a keeper that answers.
func (c *Client) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, alivePatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://keeper/alive", nil)
	if err != nil {
		return false
	}
	resp, err := c.http.Do(req)
	return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
