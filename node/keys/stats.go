package keys

// Stats are etcd's counters of a store (GET /v2/stats/store). They count what
// this member has seen since it started and are not part of the replicated
// state. In-order creations count as creates.
type Stats struct {
	GetsSuccess, GetsFail                         uint64
	SetsSuccess, SetsFail                         uint64
	DeleteSuccess, DeleteFail                     uint64
	UpdateSuccess, UpdateFail                     uint64
	CreateSuccess, CreateFail                     uint64
	CompareAndSwapSuccess, CompareAndSwapFail     uint64
	CompareAndDeleteSuccess, CompareAndDeleteFail uint64
	// ExpireCount is the number of expiries, Watchers that of live watches.
	ExpireCount, Watchers uint64
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
