package scheduler

// record is a unit, by its number. It has no pointers: so the garbage collector has
// nothing to do with a million of them.
type record struct {
	// seq orders units that wait: the time since which it is to run.
	seq uint64
	// class and profile are numbers of them (Scheduler.class, Scheduler.profile).
	class, profile int32
	// slot is the machine it is placed on; next and prev are its neighbours in
	// that machine's list.
	slot, next, prev int32
	// told is its place in Scheduler.touched, counted from 1; 0 if it isn't there,
	// and then it is where moves last had it.
	told int32
	// wait is the number of the group that it waits in, none if it doesn't.
	wait   int32
	active bool
	// mayKick units may, on landing, drive away those that they replace, and
	// global units that they conflict with. A user or a machine's loss gives
	// that, and one landing uses it up: so units that drive each other away in a
	// circle come to rest.
	mayKick  bool
	checking bool
	queued   bool
	resumed  bool // it stood there before this scheduler knew it
	woken    bool // it comes from a group that waits, to be tried for all of it
	// settling units were moved or replaced on purpose, and aren't known to run
	// since.
	settling bool
	// global units that are active have an entry in Scheduler.globalOf, those that
	// have failed one in Scheduler.troubleOf.
	global, trouble bool
}

// blank is a record of nothing.
var blank = record{slot: none, next: none, prev: none, wait: none}

// page holds the records of units with consecutive numbers. Pages stay where they
// are: nothing is copied when there are more units.
type page struct {
	names [pageUnits]string
	of    [pageUnits]record
}

// pageUnits is a power of two.
const (
	pageBits  = 8
	pageUnits = 1 << pageBits
)

// unit returns the record with a number.
func (s *Scheduler) unit(i int32) *record { return &s.pages[i>>pageBits].of[i&(pageUnits-1)] }

// name returns the name of the unit with a number, empty if there is none any more.
func (s *Scheduler) name(i int32) string { return s.pages[i>>pageBits].names[i&(pageUnits-1)] }

func (s *Scheduler) class(r *record) *class { return s.classes[r.class] }

func (s *Scheduler) profile(r *record) *profile { return s.profiles[r.profile] }

// numbered returns a number for a new name, with a blank record.
func (s *Scheduler) numbered(name string) int32 {
	i := int32(s.unitCount)
	if n := len(s.freeUnits); n > 0 {
		i = s.freeUnits[n-1]
		s.freeUnits = s.freeUnits[:n-1]
	} else {
		if s.unitCount>>pageBits == len(s.pages) {
			s.pages = append(s.pages, &page{})
		}
		s.unitCount++
	}
	s.pages[i>>pageBits].names[i&(pageUnits-1)] = name
	*s.unit(i) = blank
	return i
}

// number gives one a number in list, a free one if there is.
func number[T any](list *[]*T, one *T, free []int32) (at int32, left []int32) {
	if n := len(free); n > 0 {
		(*list)[free[n-1]] = one
		return free[n-1], free[:n-1]
	}
	*list = append(*list, one)
	return int32(len(*list) - 1), free
}

// touch is a unit whose place may have changed since moves were handed out, with
// where they last had it.
type touch struct {
	unit, was int32
	// replaced units are to be told of though they stay.
	replaced bool
	why      string
}

// told notes that a unit's place may change, and returns the note.
func (s *Scheduler) told(i int32) *touch {
	r := s.unit(i)
	if r.told == 0 {
		s.touched = append(s.touched, touch{unit: i, was: r.slot})
		r.told = int32(len(s.touched))
	}
	return &s.touched[r.told-1]
}
