package front

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// maxMemberBytes bounds the body of a request about a member.
const maxMemberBytes = 64 << 10

// httpError is a refusal with its status.
type httpError struct {
	status int
	text   string
}

// Error implements error.
func (e *httpError) Error() string { return e.text }

func refused(status int, format string, args ...any) *httpError {
	return &httpError{status: status, text: fmt.Sprintf(format, args...)}
}

// errInternal is all that etcd says of what the cluster did not do.
var errInternal = &httpError{http.StatusInternalServerError, "Internal Server Error"}

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
	refusal := errInternal
	errors.As(err, &refusal)
	if refusal == errInternal {
		f.log.Warn("membership was not changed", "method", r.Method, "member", below, "error", err)
	}
	w.message(refusal.status, refusal.text)
}

// changeMember carries out a PUT or DELETE of one member.
func (f *Front) changeMember(w *writer, r *http.Request, name string) error {
	id, err := strconv.ParseUint(name, 16, 64)
	if err != nil {
		return refused(http.StatusNotFound, "No such member: %s", name)
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

// roster is what the members are judged by.
type roster struct {
	members []state.Member
	removed bool // the member in question was
}

// agreed returns the members as the cluster agrees on them now.
func (f *Front) agreed(ctx context.Context, id world.MemberID) (roster, error) {
	if err := f.confirm(ctx); err != nil {
		return roster{}, err
	}
	var out roster
	err := f.host.Look(func(n *node.Node) { out = roster{n.State().Members(), n.State().Removed(id)} })
	return out, err
}

func (ros *roster) has(id world.MemberID) bool {
	return slices.ContainsFunc(ros.members, func(m state.Member) bool { return m.ID == id })
}

// addMember adds a member, which gets its id. It votes once it has caught up.
func (f *Front) addMember(ctx context.Context, m *state.Member) error {
	ros, err := f.agreed(ctx, 0)
	if err != nil {
		return err
	}
	for i := range ros.members {
		if other := &ros.members[i]; other.Learner && other.Name == "" {
			return fmt.Errorf("member %s was added and has not started yet: start or remove it first", hexID(other.ID))
		}
	}
	for _, other := range ros.members {
		if slices.ContainsFunc(m.PeerURLs, func(u string) bool { return slices.Contains(other.PeerURLs, u) }) {
			return refused(http.StatusConflict, "membership: peerURL exists")
		}
	}
	var b [8]byte
	for m.ID == 0 || ros.has(m.ID) {
		_, _ = rand.Read(b[:]) // it never fails
		m.ID = world.MemberID(binary.BigEndian.Uint64(b[:]))
	}
	a := f.host.Change(ctx, []state.MemberChange{{Kind: state.AddLearner, Member: *m}})
	return outcome(&a)
}

func (f *Front) removeMember(ctx context.Context, id world.MemberID) error {
	ros, err := f.agreed(ctx, id)
	switch {
	case err != nil:
		return err
	case ros.removed:
		return refused(http.StatusGone, "Member permanently removed: %s", hexID(id))
	case !ros.has(id):
		return refused(http.StatusNotFound, "No such member: %s", hexID(id))
	}
	a := f.host.Change(ctx, []state.MemberChange{{Kind: state.Remove, Member: state.Member{ID: id}}})
	return outcome(&a)
}

func (f *Front) updateMember(ctx context.Context, p state.Publish) error {
	ros, err := f.agreed(ctx, p.ID)
	switch {
	case err != nil:
		return err
	case !ros.removed && !ros.has(p.ID):
		return refused(http.StatusNotFound, "No such member: %s", hexID(p.ID))
	}
	a := f.host.Update(ctx, p)
	err = outcome(&a)
	if errors.Is(err, state.ErrURLTaken) {
		return refused(http.StatusConflict, "membership: peerURL exists")
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
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if media = strings.ToLower(strings.TrimSpace(media)); media != "application/json" {
		return nil, refused(http.StatusUnsupportedMediaType, "Bad Content-Type %s, accept application/json", media)
	}
	w.readBy(w.f.limits.BodyTime)
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMemberBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		w.f.meter.refuse(limitForm)
		return nil, refused(http.StatusRequestEntityTooLarge, "the request's body is larger than %d bytes", maxMemberBytes)
	case err != nil:
		return nil, refused(http.StatusBadRequest, "failed to read the body: %v", err)
	}
	w.readBy(0)
	var in struct {
		PeerURLs []string `json:"peerURLs"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, refused(http.StatusBadRequest, "%v", err)
	}
	return checkPeerURLs(in.PeerURLs)
}

// checkPeerURLs returns the URLs, trimmed and sorted, or says what is wrong with
// one. (etcd v2 API, "Members")
func checkPeerURLs(given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, refused(http.StatusBadRequest, "no valid URLs given")
	}
	var urls []string
	for _, in := range given {
		in = strings.TrimSpace(in)
		u, err := url.Parse(in)
		if err != nil {
			return nil, refused(http.StatusBadRequest, "%v", err)
		}
		switch u.Scheme {
		case "http", "https", "unix", "unixs":
		default:
			return nil, refused(http.StatusBadRequest, "URL scheme must be http, https, unix, or unixs: %s", in)
		}
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return nil, refused(http.StatusBadRequest, "URL address does not have the form \"host:port\": %s", in)
		}
		if u.Path != "" {
			return nil, refused(http.StatusBadRequest, "URL must not contain a path: %s", in)
		}
		urls = append(urls, u.String())
	}
	slices.Sort(urls)
	return urls, nil
}
