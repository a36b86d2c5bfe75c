package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"drydock/node/world"
)

// Progress is what a leader knows of another member's log.
type Progress struct {
	ID world.MemberID
	// Match is the highest index that the member is known to hold durably.
	Match uint64
	// Active says that it was heard of within an election timeout; Learner that
	// it has no vote, Snapshot that it waits for one.
	Active, Learner, Snapshot bool
}

// Progress returns what a leader knows of the others' logs, by id; nothing if
// this member does not lead.
func (c *Core) Progress() []Progress {
	if !c.IsLeader() {
		return nil
	}
	var list []Progress
	c.raw.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id != uint64(c.cfg.ID) {
			list = append(list, Progress{
				ID: world.MemberID(id), Match: pr.Match, Active: pr.RecentActive,
				Learner: pr.IsLearner, Snapshot: pr.State == tracker.StateSnapshot,
			})
		}
	})
	slices.SortFunc(list, func(a, b Progress) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}

// Committed returns the highest index that a majority is known to hold.
func (c *Core) Committed() uint64 { return c.raw.BasicStatus().HardState.GetCommit() }
