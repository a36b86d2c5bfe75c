package labcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Call is one thing that a lab asks of a node; exactly one field is set.
type Call struct {
	Clock *Move      `json:"clock,omitempty"`
	Disk  *DiskFault `json:"disk,omitempty"`
	Power *PowerLoss `json:"power,omitempty"`
	// Struck waits for a trap to strike.
	Struck bool `json:"struck,omitempty"`
	// Transfer is the name of a member to hand the leadership over to.
	Transfer string `json:"transfer,omitempty"`
	// Look asks what the node holds in memory.
	Look bool `json:"look,omitempty"`
}

// Move moves clocks: by so much at once, and from now on at these rates, of which 0
// leaves what is. Right sets the calendar right.
type Move struct {
	Mono     time.Duration `json:"mono,omitempty"`
	Wall     time.Duration `json:"wall,omitempty"`
	MonoRate float64       `json:"monoRate,omitempty"`
	WallRate float64       `json:"wallRate,omitempty"`
	Right    bool          `json:"right,omitempty"`
}

// DiskFault changes what the disk does wrong. Slow is added to what syncs take more,
// and may be negative; so is Stall to the number of reasons to hang. Free bounds what
// may still be written, -1 doesn't.
type DiskFault struct {
	Slow  time.Duration `json:"slow,omitempty"`
	Stall int           `json:"stall,omitempty"`
	Free  *int64        `json:"free,omitempty"`
	Trap  *Trap         `json:"trap,omitempty"`
	// Disarm is the id of a trap to take away.
	Disarm int `json:"disarm,omitempty"`
}

// Trap lets operations fail: the n-th from now on is the first, and so many do.
type Trap struct {
	ID    int    `json:"id"`
	On    string `json:"on"`    // write or sync
	Files string `json:"files"` // log, checkpoint, snapshot or any
	Nth   int    `json:"nth"`
	Times int    `json:"times"`

	seen  int
	spent bool
}

// PowerLoss ends the process at once. With Unsynced, the seed decides what the disk
// still got of what was not synced, a write in part with Torn; without it, all.
type PowerLoss struct {
	Unsynced bool   `json:"unsynced"`
	Torn     bool   `json:"torn"`
	Seed     uint64 `json:"seed"`
}

// Struck is a trap that has struck.
type Struck struct {
	ID     int    `json:"id"`
	Detail string `json:"detail"`
}

// Answer is what a node says to a call. Kept, Lost and Torn count writes that were
// not synced, of a loss of power.
type Answer struct {
	Error  string  `json:"error,omitempty"`
	Kept   int     `json:"kept,omitempty"`
	Lost   int     `json:"lost,omitempty"`
	Torn   int     `json:"torn,omitempty"`
	Struck *Struck `json:"struck,omitempty"`
	Held   *Held   `json:"held,omitempty"`
}

// Held is what a node holds in memory: inputs that wait for it, open reads and
// watches (Calls), the watches among them, disk work, commands that are not decided,
// reads that wait for their place, and entries of the log. Snapshots are the first
// peer URLs of the members that it brings up by one, as their leader.
type Held struct {
	Inbox     int      `json:"inbox"`
	Calls     int      `json:"calls"`
	Watches   int      `json:"watches"`
	Jobs      int      `json:"jobs"`
	Proposals int      `json:"proposals"`
	Reads     int      `json:"reads"`
	Entries   uint64   `json:"entries"`
	Snapshots []string `json:"snapshots,omitempty"`
	// Members are the cluster's, by this node's state.
	Members []Seat `json:"members"`
}

// Seat is one member of a cluster.
type Seat struct {
	ID uint64 `json:"id,string"`
	// Name is empty until it has started; Peer is the first of its peer URLs.
	Name  string `json:"name,omitempty"`
	Peer  string `json:"peer"`
	Voter bool   `json:"voter"`
}

// Node is what a lab may ask of a node itself. Its methods are called by several
// goroutines.
type Node interface {
	// Transfer asks the node, if it leads, to hand over to the member of a name.
	Transfer(ctx context.Context, name string) error
	// Look says what the node holds.
	Look() (Held, error)
}

// callPatience is how long a node may take for a call.
const callPatience = 5 * time.Second

// Ask makes a call on the socket at a path.
func Ask(path string, c Call) (*Answer, error) {
	conn, err := dial(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if !c.Struck {
		if err := conn.SetDeadline(time.Now().Add(callPatience)); err != nil {
			return nil, err
		}
	}
	if err := json.NewEncoder(conn).Encode(c); err != nil {
		return nil, err
	}
	a := new(Answer)
	if err := json.NewDecoder(conn).Decode(a); err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// pathMost is how long a socket's path may be, everywhere.
const pathMost = 100

// dial connects to a socket, whose path may be longer than sockets' paths may be: then
// by way of its directory, where the system has one for open files.
func dial(path string) (net.Conn, error) {
	if len(path) <= pathMost {
		return net.DialTimeout("unix", path, callPatience)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), callPatience)
	return conn, errors.Join(err, dir.Close())
}
