package history

// Hold is one time that a client believed to hold a lock built on the
// keyspace: the key made with prevExist=false, or the first of the children
// that clients made in order under a directory.
type Hold struct {
	Client string `json:"client"`
	// Lock is what is held: the key, or the directory. Key is the client's own
	// key; for a lock by prevExist it is the same as Lock.
	Lock string `json:"lock"`
	Key  string `json:"key"`
	// Token is the request id of the creation.
	Token string `json:"token,omitempty"`
	// Fence is the created index of Key, which the holder shows to whatever the
	// lock protects. Index is the store's index with the answer that made the
	// client believe that it holds the lock.
	Fence uint64 `json:"fence"`
	Index uint64 `json:"index"`
	// TTL is the key's time to live in seconds, 0 for none.
	TTL uint64 `json:"ttl,omitempty"`
	// Acquired is when the client began to believe, Renewed the call time of
	// its last acknowledged write that set the ttl, Ended when it stopped
	// believing: it called for the release, its ttl may have run out, or it
	// saw another holder. 0 if the run ended before. Run times in nanoseconds.
	Acquired int64 `json:"acquired"`
	Renewed  int64 `json:"renewed"`
	Ended    int64 `json:"ended,omitempty"`
	// Released says that it ended by an acknowledged release, Lost that the
	// store said, against the client's belief, that it was not the holder.
	Released bool `json:"released,omitempty"`
	Lost     bool `json:"lost,omitempty"`
}
