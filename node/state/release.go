package state

import (
	"errors"
	"fmt"
	"slices"

	"drydock/node/wire"
	"drydock/node/world"
)

// Release is a step in what members say to each other and write down: kinds of
// commands and frames, and forms of stored states. Zero stands for Newest.
//
// A binary speaks all releases up to its own. The cluster has a release, too,
// which is part of the state: nobody logs a command that it doesn't include.
// Whatever is new comes with a release of its own: a kind of command, with its
// Since; a part of the state, stored from that release on (see Describe).
type Release uint64

// The releases.
const (
	// Release1 has the keyspace, expiry and changes of membership.
	Release1 Release = 1
	// Release2 adds the cluster's release itself, what members publish of
	// themselves, the ids of those that were removed, and users.
	Release2 Release = 2
	// Release3 adds the fleet: units, machines, and what runs where.
	Release3 Release = 3
	// Newest is the release that this program speaks.
	Newest = Release3
)

var (
	// ErrRelease is matched when a member meets what its own release doesn't
	// know, or may not: it must stop.
	ErrRelease = errors.New("this member's release is too old")
	// ErrNotYet is matched by refusals of what the cluster's release does not
	// include yet.
	ErrNotYet = errors.New("not before every member runs a newer release")
)

// Since returns the release that introduced the kind, 0 for a kind that no
// release has.
func (k Kind) Since() Release {
	switch k {
	case KindKeys, KindExpire, KindMembers:
		return Release1
	case KindRelease, KindPublish, KindAuth:
		return Release2
	case KindFleet:
		return Release3
	}
	return 0
}

// Raise is what a KindRelease says. It counts in the term and for the members
// that it was proposed for, and for no others: who leads in another term has
// other words, and a member that came since has given none.
type Raise struct {
	// Release is what the cluster's release becomes.
	Release Release
	// Term is raft's term in which it was proposed, by that term's leader.
	Term uint64
	// Voices are the members, sorted by id, each of which has told that leader
	// that it speaks the release. All members belong to them.
	Voices []world.MemberID
}

// ErrRaise is matched by refusals to raise the cluster's release.
var ErrRaise = errors.New("the cluster's release stays as it is")

// tooOld is the error of a member that speaks own and meets what came with need.
// A need of 0 is unknown: it is newer than anything that this program knows.
func tooOld(what string, own, need Release) error {
	if need == 0 {
		return fmt.Errorf("%w: %s is unknown to release %d; install a newer release on this member, its data stays as it is",
			ErrRelease, what, own)
	}
	return fmt.Errorf("%w: %s needs release %d, this is release %d; install release %d or newer on this member, its data stays as it is",
		ErrRelease, what, need, own, need)
}

// Release returns the cluster's release.
func (s *State) Release() Release { return max(s.release, Release1) }

// Speaks returns the release of the program that holds this state.
func (s *State) Speaks() Release { return s.speaks.orNewest() }

// Speak makes s the state of a program of release r: what is newer, it doesn't
// know. It is no part of what members share.
func (s *State) Speak(r Release) { s.speaks = r }

func (r Release) orNewest() Release {
	if r == 0 {
		return Newest
	}
	return r
}

// Allows says whether a command of kind k may be logged at the cluster's
// release; the error matches ErrNotYet.
func (s *State) Allows(k Kind) error {
	// What raises the release is there before it.
	if since := k.Since(); k != KindRelease && (since == 0 || since > s.Release()) {
		return fmt.Errorf("%w: it needs release %d, the cluster is at %d until all members speak more", ErrNotYet, since, s.Release())
	}
	return nil
}

// known fails for commands that this state's program can't apply.
func (s *State) known(list []Command) error {
	for i := range list {
		c := &list[i]
		if since := c.Kind.Since(); since == 0 || since > s.Speaks() {
			return tooOld(fmt.Sprintf("a command of kind %d", c.Kind), s.Speaks(), since)
		}
		if c.Kind == KindRelease && c.Raise.Release > s.Speaks() {
			return tooOld("the cluster", s.Speaks(), c.Raise.Release)
		}
	}
	return nil
}

// raise applies a KindRelease; the error says why it has no effect.
func (s *State) raise(r *Raise) error {
	switch {
	case r.Release <= s.Release():
		return fmt.Errorf("%w: at %d, asked for %d", ErrRaise, s.Release(), r.Release)
	case r.Term != s.term:
		return fmt.Errorf("%w: it was asked for in term %d, logged in %d", ErrRaise, r.Term, s.term)
	case !slices.EqualFunc(s.members, r.Voices, func(m Member, id world.MemberID) bool { return m.ID == id }):
		return fmt.Errorf("%w: the members are not those that were asked", ErrRaise)
	}
	s.release = r.Release
	return nil
}

func (r *Raise) append(b []byte) []byte {
	b = wire.AppendUint(b, uint64(r.Release))
	b = wire.AppendUint(b, r.Term)
	return appendIDs(b, r.Voices)
}

func readRaise(body []byte) (Raise, error) {
	r := wire.NewReader(body)
	out := Raise{Release: Release(r.Uint("raise.release")), Term: r.Uint("raise.term")}
	out.Voices = readIDs(r, "raise.voices", MaxMembers)
	if !slices.IsSorted(out.Voices) {
		r.Fail("raise.voices", "not in order of id")
	}
	if out.Release == 0 {
		r.Fail("raise.release", "zero")
	}
	return out, r.Done("raise")
}

func appendIDs(b []byte, ids []world.MemberID) []byte {
	b = wire.AppendUint(b, uint64(len(ids)))
	for _, id := range ids {
		b = wire.AppendUint(b, uint64(id))
	}
	return b
}

func readIDs(r *wire.Reader, field string, limit int) []world.MemberID {
	n := r.Count(field, limit)
	var ids []world.MemberID
	for i := 0; i < n && r.Err() == nil; i++ {
		ids = append(ids, world.MemberID(r.Uint(field)))
	}
	return ids
}
