package keys

// Stats are etcd's counters of a store (GET /v2/stats/store). They count what
// this member has seen since it started and are not part of the replicated
// state. In-order creations count as creates. As JSON they are what etcd shows,
// in its order.
type Stats struct {
	GetsSuccess             uint64 `json:"getsSuccess"`
	GetsFail                uint64 `json:"getsFail"`
	SetsSuccess             uint64 `json:"setsSuccess"`
	SetsFail                uint64 `json:"setsFail"`
	DeleteSuccess           uint64 `json:"deleteSuccess"`
	DeleteFail              uint64 `json:"deleteFail"`
	UpdateSuccess           uint64 `json:"updateSuccess"`
	UpdateFail              uint64 `json:"updateFail"`
	CreateSuccess           uint64 `json:"createSuccess"`
	CreateFail              uint64 `json:"createFail"`
	CompareAndSwapSuccess   uint64 `json:"compareAndSwapSuccess"`
	CompareAndSwapFail      uint64 `json:"compareAndSwapFail"`
	CompareAndDeleteSuccess uint64 `json:"compareAndDeleteSuccess"`
	CompareAndDeleteFail    uint64 `json:"compareAndDeleteFail"`
	// ExpireCount is the number of expiries.
	ExpireCount uint64 `json:"expireCount"`
	// Watchers is the number of live watches.
	Watchers uint64 `json:"watchers"`
}

// Stats returns the counters as they stand.
func (s *Store) Stats() Stats {
	c := s.count
	c.Watchers = uint64(len(s.hub.byID))
	return c
}

// tally counts a write of the given kind.
func (c *Stats) tally(k Kind, ok bool) {
	var good, bad *uint64
	switch k {
	case Set:
		good, bad = &c.SetsSuccess, &c.SetsFail
	case Create, CreateInOrder:
		good, bad = &c.CreateSuccess, &c.CreateFail
	case Update:
		good, bad = &c.UpdateSuccess, &c.UpdateFail
	case CompareAndSwap:
		good, bad = &c.CompareAndSwapSuccess, &c.CompareAndSwapFail
	case Delete:
		good, bad = &c.DeleteSuccess, &c.DeleteFail
	case CompareAndDelete:
		good, bad = &c.CompareAndDeleteSuccess, &c.CompareAndDeleteFail
	default:
		panic("keys: no counter for " + k.String())
	}
	if ok {
		*good++
	} else {
		*bad++
	}
}
