package history

// Committed is one command as the disks of a run hold it in their committed
// logs, whatever any member said about it.
type Committed struct {
	// Revision is the command's place in the store's total order.
	Revision uint64 `json:"revision"`
	// Token is the request id the client sent; empty for a command that no
	// client asked for (an expiry).
	Token string `json:"token,omitempty"`
	// Kind is empty for a command that is none of the keyspace's.
	Kind  Kind   `json:"op,omitempty"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	// PrevValue ("" is none) and PrevIndex (0 is none) are conditions.
	PrevValue string `json:"prevValue,omitempty"`
	PrevIndex uint64 `json:"prevIndex,omitempty"`
	Dir       bool   `json:"dir,omitempty"`
	Recursive bool   `json:"recursive,omitempty"`
	Refresh   bool   `json:"refresh,omitempty"`
	// HasTTL says that the key is to expire TTL seconds after the write.
	HasTTL bool   `json:"hasTTL,omitempty"`
	TTL    uint64 `json:"ttl,omitempty"`
	// Needs is the release that introduced the command's kind, if it is not the
	// first. Asks is the release that it asks the cluster to be raised to,
	// Release what the cluster's is from then on if that has an effect, and
	// Member whose name and addresses it makes known; 0 and empty if it does
	// nothing of that.
	Needs   uint64 `json:"needs,omitempty"`
	Asks    uint64 `json:"asks,omitempty"`
	Release uint64 `json:"release,omitempty"`
	Member  string `json:"member,omitempty"`
	// Repeat marks a command the members recognised as a second copy of an
	// earlier one and must not have applied again.
	Repeat bool `json:"repeat,omitempty"`
	// Entry is the index of the log entry that holds it. Cluster is the
	// replicated time that the entry carries, never less than that of an
	// entry before; nanoseconds from the cluster's founding.
	Entry   uint64 `json:"entry,omitempty"`
	Cluster int64  `json:"cluster,omitempty"`
	// Time is the run time at which some member had first applied it, 0 if
	// none was seen to.
	Time int64 `json:"time,omitempty"`
}

// Configuration is who votes and who learns from a log entry on, by the
// committed logs.
type Configuration struct {
	Entry uint64 `json:"entry"`
	// Time is the run time at which some member had first applied it, 0 for
	// the founding and if none was seen to.
	Time   int64    `json:"time,omitempty"`
	Voters []string `json:"voters"`
	// Outgoing are the voters of the configuration that a joint one leaves;
	// decisions then need a majority of both.
	Outgoing []string `json:"outgoing,omitempty"`
	Learners []string `json:"learners,omitempty"`
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
