package history

// Committed is one client command as the disks of a run hold it in their
// committed logs, whatever any member said about it.
type Committed struct {
	// Revision is the command's place in the store's total order.
	Revision uint64 `json:"revision"`
	// Token is the request id the client sent; empty for a command that no
	// client asked for (an expiry).
	Token string `json:"token,omitempty"`
	Kind  Kind   `json:"op,omitempty"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	// Repeat marks a command the members recognised as a second copy of an
	// earlier one and must not have applied again.
	Repeat bool `json:"repeat,omitempty"`
}

// What Op.Settled may say.
const (
	// SettledNever: the command is in no committed log, and the run is over.
	SettledNever = "never"
	// SettledApplied: the command is committed at Op.SettledRevision.
	SettledApplied = "applied"
)

// Settle returns a copy of ops in which every unknown operation with a token
// says what became of it: SettledApplied with its place if truth has a command
// of that token, SettledNever if not. It is right only when truth is whole:
// when the run is over and no command can be committed any more. Operations
// without a token stay unknown.
func Settle(ops []Op, truth []Committed) []Op {
	place := make(map[string]uint64, len(truth))
	for _, c := range truth {
		if _, known := place[c.Token]; c.Token != "" && !c.Repeat && !known {
			place[c.Token] = c.Revision
		}
	}
	settled := make([]Op, len(ops))
	copy(settled, ops)
	for i := range settled {
		op := &settled[i]
		if op.Status != Unknown || op.Token == "" {
			continue
		}
		op.Settled, op.SettledRevision = SettledNever, 0
		if revision, ok := place[op.Token]; ok {
			op.Settled, op.SettledRevision = SettledApplied, revision
		}
	}
	return settled
}
