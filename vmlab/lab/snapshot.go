package lab

import (
	"context"
	"errors"
	"time"
)

// Snapshot is the state of all machines of a lab at one moment: processors, memory
// and disks.
type Snapshot struct {
	Name  string    `json:"name"`
	Taken time.Time `json:"taken"`
	// Paused is how long the machines stood still for it.
	Paused   time.Duration     `json:"paused"`
	Machines []SnapshotMachine `json:"machines"`
}

// SnapshotMachine is how a machine was.
type SnapshotMachine struct {
	Name       string `json:"name"`
	Power      Power  `json:"power"`
	NodeUp     bool   `json:"nodeUp"`
	NodePaused bool   `json:"nodePaused,omitempty"`
}

// Errors of snapshots.
var (
	// ErrNoSnapshot is matched when there is none of a name.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrSnapshotExists is matched when there is one already.
	ErrSnapshotExists = errors.New("there is one of that name: delete it first")
	// ErrSnapshotDiffers is matched when a lab has other machines than a snapshot.
	ErrSnapshotDiffers = errors.New("it is of other machines")
)

// Snapshotter is a Ground of a driver that has the capability HasSnapshot. Snapshots
// live as long as the lab does.
type Snapshotter interface {
	// Snapshots lists them, the oldest first.
	Snapshots() ([]Snapshot, error)
	// SaveSnapshot pauses all machines, keeps their states, and lets them go on.
	SaveSnapshot(ctx context.Context, name string) (*Snapshot, error)
	// RestoreSnapshot brings all machines back to their states, and lets those go on
	// that ran. Their clocks are set to the host's. What they have written since is lost.
	RestoreSnapshot(ctx context.Context, name string) (*Snapshot, error)
	// DeleteSnapshot gives one up.
	DeleteSnapshot(ctx context.Context, name string) error
}
