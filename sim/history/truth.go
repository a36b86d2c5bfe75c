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
