// Package qmp speaks the QEMU Machine Protocol: commands to a running QEMU, as lines
// of JSON, each with its answer. (QEMU, docs/interop/qmp-spec.rst)
//
// Invariants:
//
//   - A command's answer is its own, whatever order answers come in.
//   - When the connection ends, whoever waits hears of it.
package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Errors of commands.
var (
	// ErrRefused is matched when QEMU has refused a command.
	ErrRefused = errors.New("QEMU has refused")
	// ErrMessage is matched when what comes is not of the protocol; the connection has
	// ended then.
	ErrMessage = errors.New("QEMU has sent what is no message")
	// ErrGone is matched when the connection has ended.
	ErrGone = errors.New("QEMU is gone")
)

// maxMessage bounds a message, in bytes.
const maxMessage = 1 << 20

// Client is one side of a connection. Its methods may be called by several
// goroutines.
type Client struct {
	conn    net.Conn
	greeted chan struct{} // closed when QEMU has begun to speak
	ended   chan struct{} // closed when it has ended

	writing sync.Mutex

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan message
	gone    error // why there will be no more answers
}

// message is what QEMU says: a greeting, an answer, or an event.
type message struct {
	Greeting json.RawMessage `json:"QMP"`
	Event    string          `json:"event"`
	ID       *uint64         `json:"id"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// parse reads a message.
func parse(line []byte) (m message, err error) {
	if err := json.Unmarshal(line, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	switch {
	case m.Greeting != nil, m.Event != "", m.Return != nil, m.Error != nil:
		return m, nil
	}
	return m, fmt.Errorf("%w: %.100q", ErrMessage, line)
}

// New speaks over a connection, which it closes in the end.
func New(conn net.Conn) *Client {
	c := &Client{conn: conn, greeted: make(chan struct{}), ended: make(chan struct{}), waiting: map[uint64]chan message{}}
	go c.listen()
	return c
}

// listen hands answers to whoever waits for them.
func (c *Client) listen() {
	err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = err
	for _, answer := range c.waiting { // any order: each waits for itself
		close(answer)
	}
	clear(c.waiting)
	_ = c.conn.Close() // it has ended
	close(c.ended)
}

// read reads until there is no more, and says why.
func (c *Client) read() error {
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(nil, maxMessage)
	greeted := false
	for lines.Scan() {
		m, err := parse(lines.Bytes())
		switch {
		case err != nil:
			return err
		case m.Greeting != nil && !greeted:
			greeted = true
			close(c.greeted)
		case m.ID != nil:
			c.mu.Lock()
			answer := c.waiting[*m.ID]
			delete(c.waiting, *m.ID)
			c.mu.Unlock()
			if answer != nil {
				answer <- m // it has room for one
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return ErrGone
}

// Begin waits for QEMU to speak, and makes it take commands.
func (c *Client) Begin(ctx context.Context) error {
	select {
	case <-c.greeted:
	case <-c.ended:
		return c.why()
	case <-ctx.Done():
		return fmt.Errorf("QEMU does not speak: %w", ctx.Err())
	}
	return c.Run(ctx, "qmp_capabilities", nil, nil)
}

func (c *Client) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// command is what QEMU is told.
type command struct {
	Execute   string `json:"execute"`
	Arguments any    `json:"arguments,omitempty"`
	ID        uint64 `json:"id"`
}

// Run gives a command and waits for its answer, which it puts into what into points
// to, unless that is nil.
func (c *Client) Run(ctx context.Context, name string, arguments, into any) error {
	answer := make(chan message, 1)
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return c.gone
	}
	c.next++
	id := c.next
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	text, err := json.Marshal(command{Execute: name, Arguments: arguments, ID: id})
	if err != nil {
		return err
	}
	if err := c.write(ctx, append(text, '\n')); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", name, c.why())
		case m.Error != nil:
			return fmt.Errorf("%s: %w: %s", name, ErrRefused, m.Error.Desc)
		case into == nil:
			return nil
		}
		if err := json.Unmarshal(m.Return, into); err != nil {
			return fmt.Errorf("%s: %w: %w", name, ErrMessage, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", name, ctx.Err())
	}
}

// write sends a line, all of it or nothing that the connection is good for after.
func (c *Client) write(ctx context.Context, line []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	end, _ := ctx.Deadline()
	if err := c.conn.SetWriteDeadline(end); err != nil {
		return err
	}
	n, err := c.conn.Write(line)
	if err != nil && n > 0 {
		_ = c.conn.Close() // half a line would be the beginning of the next one
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// Close ends the connection and waits for the end.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// job is one of QEMU's that goes on after its command was answered.
type job struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Error  string `json:"error"`
}

// jobPeriod is the rest between two looks at a job.
const jobPeriod = 10 * time.Millisecond

// Job gives a command that begins a job, whose name is among the arguments as
// "job-id", and waits for that to end.
func (c *Client) Job(ctx context.Context, name string, arguments map[string]any) error {
	id, _ := arguments["job-id"].(string)
	if err := c.Run(ctx, name, arguments, nil); err != nil {
		return err
	}
	for {
		var jobs []job
		if err := c.Run(ctx, "query-jobs", nil, &jobs); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID != id || j.Status != "concluded" {
				continue
			}
			if err := c.Run(ctx, "job-dismiss", map[string]string{"id": id}, nil); err != nil {
				return err
			}
			if j.Error != "" {
				return fmt.Errorf("%s: %w: %s", name, ErrRefused, j.Error)
			}
			return nil
		}
		select {
		case <-time.After(jobPeriod):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
	}
}
