package history

// Why a watch session ended for its client.
const (
	// WatchOpen: it was open when the run ended.
	WatchOpen = "open"
	// WatchDone: it was to see one event and has seen it.
	WatchDone = "done"
	// WatchCut: the connection was lost, or the member died.
	WatchCut = "cut"
	// WatchLeft: the client closed it, such as for having waited enough.
	WatchLeft = "left"
	// WatchGone: it was answered with code 401, the history is gone.
	WatchGone = "gone"
	// WatchRefused: it was answered with another error, or not at all.
	WatchRefused = "refused"
)

// Watch is one watch session as its client saw it: one request and all that
// came of it. A watcher that goes on after a cut has several sessions.
type Watch struct {
	// ID numbers the sessions of a run in order of Opened, from 1.
	ID     int    `json:"id"`
	Client string `json:"client"`
	Node   string `json:"node,omitempty"`
	// Resumes is the ID of the session that this one carries on, 0 for none.
	Resumes   int    `json:"resumes,omitempty"`
	Path      string `json:"path"`
	Recursive bool   `json:"recursive,omitempty"`
	// Stream sessions go on after an event; others see one.
	Stream bool `json:"stream,omitempty"`
	// Since is the waitIndex that was asked for, 0 for what comes next.
	Since uint64 `json:"since,omitempty"`
	// Opened is when it was asked for, Headed when the answer's head came (0:
	// never) with the store's index in it (X-Etcd-Index), Closed when it ended
	// for the client (the end of the run for one that was still open). All are
	// run times in nanoseconds.
	Opened int64  `json:"opened"`
	Headed int64  `json:"headed,omitempty"`
	Index  uint64 `json:"index,omitempty"`
	Closed int64  `json:"closed,omitempty"`
	Why    string `json:"why,omitempty"`
	// Code is the error that it was answered with, such as 401.
	Code   int          `json:"code,omitempty"`
	Events []WatchEvent `json:"events,omitempty"`
	// Slow says that the client had stopped reading when the run ended, so
	// that it could not have seen the latest.
	Slow bool `json:"slow,omitempty"`
}

// WatchEvent is one event as a watch session's client read it.
type WatchEvent struct {
	Time int64 `json:"time"`
	// Action is as the protocol spells it: set, create, expire, ….
	Action   string  `json:"action"`
	Key      string  `json:"key"`
	Value    *string `json:"value,omitempty"`
	Prev     *string `json:"prev,omitempty"`
	Dir      bool    `json:"dir,omitempty"`
	Modified uint64  `json:"modified"`
	Created  uint64  `json:"created,omitempty"`
}

// Last is the index from which a client resumes after this session, less one:
// that of the last event, or what it began with.
func (w *Watch) Last() uint64 {
	switch {
	case len(w.Events) > 0:
		return w.Events[len(w.Events)-1].Modified
	case w.Since > 0:
		return w.Since - 1
	}
	return w.Index
}
