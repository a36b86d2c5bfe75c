package fleetclient

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Reading says how a list or a unit is read. A server without the extensions
// ignores all but Machine, Unit and, for Units, nothing.
type Reading struct {
	// Details asks for what only Drydock tells.
	Details bool
	// All lists machines that are down, too.
	All bool
	// Names restricts Units to these, at most MaxNames.
	Names []string
	// Machine and Unit restrict States.
	Machine, Unit string
	// After, if Wait isn't zero, waits until the cluster's revision is greater, for as long as
	// Wait at most. It only makes sense if Extended is true.
	After uint64
	Wait  time.Duration

	_ struct{}
}

// MaxNames is how many names a Reading may have.
const MaxNames = 100

// maxWait is how long a server lets a request wait.
const maxWait = 300 * time.Second

func (o Reading) call(path string) *call {
	query := url.Values{}
	set := func(key, value string, on bool) {
		if on {
			query.Set(key, value)
		}
	}
	set("details", "true", o.Details)
	set("all", "true", o.All)
	set("names", strings.Join(o.Names, ","), len(o.Names) > 0)
	set("machineID", o.Machine, o.Machine != "")
	set("unitName", o.Unit, o.Unit != "")
	c := &call{method: http.MethodGet, path: path, query: query}
	if o.Wait > 0 {
		// The server counts in seconds, so that it is the client that ends shorter waits.
		wait := min(o.Wait, maxWait)
		set("wait", "true", true)
		set("after", strconv.FormatUint(o.After, 10), true)
		set("timeout", strconv.Itoa(max(1, int(wait/time.Second))), true)
		c.extra = wait
	}
	return c
}

// revision is the cluster's that an answer shows; 0 if the server has none.
func (a *answer) revision() uint64 {
	n, err := strconv.ParseUint(a.header.Get("X-Fleet-Revision"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Restart has a launched unit started anew wherever it is.
func (c *Client) Restart(ctx context.Context, name string) error {
	_, err := c.do(ctx, &call{method: http.MethodPost, path: "/units/" + url.PathEscape(name) + "/restart"})
	return err
}

// Drain begins or ends the emptying of a machine.
func (c *Client) Drain(ctx context.Context, machine string, on bool) error {
	method := http.MethodPut
	if !on {
		method = http.MethodDelete
	}
	_, err := c.do(ctx, &call{method: method, path: "/machines/" + url.PathEscape(machine) + "/drain"})
	return err
}

// Line is a line of a unit's journal.
type Line struct {
	// Number grows by one from line to line of a unit on one machine.
	Number uint64    `json:"number"`
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
	Text   string    `json:"text"`
}

// JournalOptions say which part of a journal is read.
type JournalOptions struct {
	// Machine is the id of the one whose journal is read; empty is the unit's.
	Machine string
	// Lines is how many are read of what is there already; those up to After are left
	// out.
	Lines int
	After uint64
	// Follow goes on with lines as they come.
	Follow bool

	_ struct{}
}

// Journal is a journal that is being read.
type Journal struct {
	// Machine is the id of the machine that it is of.
	Machine string
	body    io.ReadCloser
	lines   *bufio.Scanner
}

// maxLine bounds a line of a journal as it is sent.
const maxLine = 4 << 20

// Journal opens the journal of a unit. The caller closes it.
func (c *Client) Journal(ctx context.Context, name string, o JournalOptions) (*Journal, error) {
	query := url.Values{"lines": {strconv.Itoa(o.Lines)}}
	if o.Machine != "" {
		query.Set("machine", o.Machine)
	}
	if o.After > 0 {
		query.Set("after", strconv.FormatUint(o.After, 10))
	}
	if o.Follow {
		query.Set("follow", "true")
	}
	path := "/units/" + url.PathEscape(name) + "/journal"
	got, err := c.do(ctx, &call{method: http.MethodGet, path: path, query: query, stream: true})
	if err != nil {
		return nil, err
	}
	j := &Journal{Machine: got.header.Get("X-Fleet-Machine"), body: got.stream, lines: bufio.NewScanner(got.stream)}
	j.lines.Buffer(nil, maxLine)
	return j, nil
}

// Next returns the next line, or io.EOF after the last.
func (j *Journal) Next() (Line, error) {
	for j.lines.Scan() {
		if len(j.lines.Bytes()) == 0 {
			continue
		}
		var l Line
		if err := json.Unmarshal(j.lines.Bytes(), &l); err != nil {
			return Line{}, fmt.Errorf("journal: %w", err)
		}
		return l, nil
	}
	if err := j.lines.Err(); err != nil {
		return Line{}, err
	}
	return Line{}, io.EOF
}

// Close ends the reading.
func (j *Journal) Close() error { return j.body.Close() }

// Status is what a machine's runtime says of a unit.
type Status struct {
	Name        string `json:"name"`
	MachineID   string `json:"machineID"`
	Description string `json:"description"`
	Load        string `json:"load"`
	Active      string `json:"active"`
	Sub         string `json:"sub"`
	Result      string `json:"result"`
	// Text is what the service last said of itself.
	Text    string `json:"text"`
	MainPID int    `json:"mainPID"`
	// Exit says how the last main process ended.
	Exit     string    `json:"exit"`
	Restarts int       `json:"restarts"`
	Job      string    `json:"job"`
	Hash     string    `json:"hash"`
	Since    time.Time `json:"since"`
	// Lines are the last of the journal.
	Lines []Line `json:"lines"`
}

// Status asks the machine that has a unit for its state; an empty machine is the
// unit's.
func (c *Client) Status(ctx context.Context, name, machine string) (*Status, error) {
	query := url.Values{}
	if machine != "" {
		query.Set("machine", machine)
	}
	// The machine may have to be asked across the cluster.
	const across = 5 * time.Second
	got, err := c.do(ctx, &call{
		method: http.MethodGet, path: "/units/" + url.PathEscape(name) + "/status", query: query, extra: across,
	})
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(got.body, &s); err != nil {
		return nil, notAPI(err)
	}
	return &s, nil
}
