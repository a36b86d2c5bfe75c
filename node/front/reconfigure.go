package front

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// maxMemberBytes bounds the body of a request about a member.
const maxMemberBytes = 64 << 10

// HeaderReason carries why a change of membership was not made, where the answer's
// body, which is etcd's, doesn't say it.
const HeaderReason = "X-Drydock-Reason"

// changeMembers serves POST, PUT and DELETE of /v2/members.
func (f *Front) changeMembers(w *writer, r *http.Request, below string) {
	var err error
	switch {
	case r.Method == "POST":
		var m state.Member
		if m.PeerURLs, err = readPeerURLs(w, r); err == nil {
			if err = f.addMember(r.Context(), &m); err == nil {
				w.json(http.StatusCreated, line(showMember(&m)))
				return
			}
		}
	case below == "":
		w.notAllowed("")
		return
	default:
		err = f.changeMember(w, r, below)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var refusal *api.MemberError
	if !errors.As(err, &refusal) {
		refusal = api.Internal(err.Error())
	}
	if refusal.Reason != "" {
		w.Header().Set(HeaderReason, strings.Join(strings.Fields(refusal.Reason), " "))
		f.log.Warn("the members were not changed", "method", r.Method, "member", below, "reason", refusal.Reason)
	}
	w.message(refusal.Status, refusal.Message)
}

// changeMember carries out a PUT or DELETE of one member.
func (f *Front) changeMember(w *writer, r *http.Request, name string) error {
	id, err := strconv.ParseUint(name, 16, 64)
	if err != nil {
		return api.NoSuchMember(name)
	}
	if r.Method == "DELETE" {
		return f.removeMember(r.Context(), world.MemberID(id))
	}
	urls, err := readPeerURLs(w, r)
	if err != nil {
		return err
	}
	return f.updateMember(r.Context(), state.Publish{ID: world.MemberID(id), PeerURLs: urls})
}

// agreed returns the members as the cluster agrees on them now, and whether the
// one in question was removed.
func (f *Front) agreed(ctx context.Context, id world.MemberID) (seats []api.Seat, removed bool, err error) {
	if err := f.confirm(ctx); err != nil {
		return nil, false, err
	}
	var members []state.Member
	err = f.host.Look(func(n *node.Node) { members, removed = n.State().Members(), n.State().Removed(id) })
	down := make(map[world.MemberID]bool)
	for _, l := range f.peers() {
		down[l.ID] = !l.Connected
	}
	for i := range members {
		m := &members[i]
		seats = append(seats, api.Seat{
			ID: uint64(m.ID), Name: m.Name, PeerURLs: m.PeerURLs, Voter: !m.Learner, Up: !down[m.ID],
		})
	}
	return seats, removed, err
}

func has(seats []api.Seat, id world.MemberID) bool {
	return slices.ContainsFunc(seats, func(s api.Seat) bool { return s.ID == uint64(id) })
}

// addMember adds a member, which gets its id. It votes once it has caught up.
func (f *Front) addMember(ctx context.Context, m *state.Member) error {
	seats, _, err := f.agreed(ctx, 0)
	if err != nil {
		return err
	}
	if refusal := api.Admit(seats, m.PeerURLs); refusal != nil {
		return refusal
	}
	var b [8]byte
	for m.ID == 0 || has(seats, m.ID) {
		_, _ = rand.Read(b[:]) // it never fails
		m.ID = world.MemberID(binary.BigEndian.Uint64(b[:]))
	}
	a := f.host.Change(ctx, []state.MemberChange{{Kind: state.AddLearner, Member: *m}})
	return outcome(&a)
}

func (f *Front) removeMember(ctx context.Context, id world.MemberID) error {
	seats, removed, err := f.agreed(ctx, id)
	switch {
	case err != nil:
		return err
	case removed:
		return &api.MemberError{Status: http.StatusGone, Message: "Member permanently removed: " + hexID(id)}
	}
	if refusal := api.Dismiss(seats, uint64(id)); refusal != nil {
		return refusal
	}
	a := f.host.Change(ctx, []state.MemberChange{{Kind: state.Remove, Member: state.Member{ID: id}}})
	return outcome(&a)
}

func (f *Front) updateMember(ctx context.Context, p state.Publish) error {
	seats, removed, err := f.agreed(ctx, p.ID)
	switch {
	case err != nil:
		return err
	case !removed && !has(seats, p.ID):
		return api.NoSuchMember(hexID(p.ID))
	}
	a := f.host.Update(ctx, p)
	err = outcome(&a)
	if errors.Is(err, state.ErrURLTaken) {
		return api.URLTaken()
	}
	return err
}

// outcome is nil if a change was made.
func outcome(a *node.Answer) error {
	switch {
	case a.Refusal != nil:
		return a.Refusal
	case a.Status != consensus.Done:
		return &notDone{a.Reason}
	}
	return nil
}

// readPeerURLs reads the body of a POST or PUT.
func readPeerURLs(w *writer, r *http.Request) ([]string, error) {
	w.readBy(w.f.limits.BodyTime)
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMemberBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		w.f.meter.refuse(limitForm)
		return nil, &api.MemberError{
			Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the request's body is larger than %d bytes", maxMemberBytes),
		}
	case err != nil:
		return nil, &api.MemberError{Status: http.StatusBadRequest, Message: fmt.Sprintf("failed to read the body: %v", err)}
	}
	w.readBy(0)
	urls, refusal := api.DecodePeerURLs(r.Header.Get("Content-Type"), b)
	if refusal != nil {
		return nil, refusal
	}
	return urls, nil
}
