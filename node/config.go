package node

import (
	"errors"
	"fmt"
	"time"

	"drydock/node/control"
	"drydock/node/state"
	"drydock/node/world"
)

// Config holds what a node must be told. Zero fields get their default.
type Config struct {
	// Cluster and ID name the cluster and this member; both are for ever.
	Cluster uint64
	ID      world.MemberID
	// Name is the member's name for people.
	Name string
	// PeerURLs and ClientURLs are where this member is reached. The node has the
	// cluster told of its name and client URLs whenever it knows others, and of
	// its peer URLs if it knows none.
	PeerURLs, ClientURLs []string

	// Release is what this node speaks (default state.Newest). An older one
	// behaves as that release's program would: what came later is unknown to it.
	Release state.Release
	// AutoPromote has a leader give a vote to learners that have caught up.
	AutoPromote bool

	// Tick is the unit of raft's timers (default 10 ms); Heartbeat (50 ms) and
	// Election (250 ms) are multiples of it. An election starts after one to
	// two times Election without a leader.
	Tick, Heartbeat, Election time.Duration
	// RequestTimeout ends operations (default 5 s + 2 elections, as etcd's).
	RequestTimeout time.Duration
	// MaxAppends bounds unfinished log batches on the disk (default 4).
	MaxAppends int
	// SegmentBytes is the size of a log segment (default 64 MiB).
	SegmentBytes int64
	// CheckpointEntries is after how many entries a checkpoint is written
	// (default 10000, as etcd v2's snapshots).
	CheckpointEntries uint64
	// CheckpointBytes is after how many bytes of entries one is written even if
	// they are few (default 64 MiB): entries wait in memory for their checkpoint.
	CheckpointBytes uint64
	// CatchUpEntries is how many entries before the checkpoint are kept for
	// members that lag (default 5000), CheckpointBytes of them at most.
	CatchUpEntries uint64
	// ChunkBytes is the size of a piece of a snapshot stream (default 64 KiB).
	ChunkBytes uint64
	// MaxWatches bounds open watches (default 10000), and questions about units.
	MaxWatches int

	// Fleet is how machines' sessions are kept; its Cluster is the node's. All
	// members must have the same.
	Fleet control.Config
}

// Slack is how late a follower's tick may be for which nothing waits: it may as well
// come with the heartbeat that is due about then.
func (c *Config) Slack() time.Duration { return c.Heartbeat * 9 / 10 }

func (c *Config) setDefaults() {
	def(&c.Release, state.Newest)
	def(&c.Tick, 10*time.Millisecond)
	def(&c.Heartbeat, 50*time.Millisecond)
	def(&c.Election, 250*time.Millisecond)
	def(&c.RequestTimeout, 5*time.Second+2*c.Election)
	def(&c.CheckpointEntries, 10000)
	def(&c.CheckpointBytes, 64<<20)
	def(&c.CatchUpEntries, 5000)
	def(&c.ChunkBytes, 64<<10)
	def(&c.MaxWatches, 10000)
	c.Fleet.Cluster = c.Cluster
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// maxChunkBytes is what checkpoint stores take and frames hold.
const maxChunkBytes = 4 << 20

// ErrConfig is matched by every error of Validate.
var ErrConfig = errors.New("node: configuration")

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	c.setDefaults()
	switch {
	case c.ID == 0 || c.Cluster == 0:
		return fmt.Errorf("%w: member and cluster id must not be zero", ErrConfig)
	case c.Release > state.Newest:
		return fmt.Errorf("%w: release %d, this program speaks %d at most", ErrConfig, c.Release, state.Newest)
	case c.Tick < time.Millisecond:
		return fmt.Errorf("%w: tick %v is below 1ms", ErrConfig, c.Tick)
	case c.Heartbeat < c.Tick:
		return fmt.Errorf("%w: heartbeat %v is below the tick %v", ErrConfig, c.Heartbeat, c.Tick)
	case c.Election < 2*c.Heartbeat:
		return fmt.Errorf("%w: election %v is below two heartbeats of %v", ErrConfig, c.Election, c.Heartbeat)
	case c.ChunkBytes > maxChunkBytes:
		return fmt.Errorf("%w: chunk of %d bytes, at most %d", ErrConfig, c.ChunkBytes, maxChunkBytes)
	}
	if err := c.Fleet.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}
