package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// MemberError is a refusal of a request about members. (etcd v2 API, "Members")
type MemberError struct {
	// Status is the answer's, Message its text.
	Status  int
	Message string
	// Reason says more than the message where etcd's says little.
	Reason string
}

// Error implements error.
func (e *MemberError) Error() string {
	if e.Reason != "" {
		return e.Reason
	}
	return e.Message
}

// Internal is the refusal of what the cluster can't or won't do: etcd says no more
// than that.
func Internal(reason string) *MemberError {
	return &MemberError{Status: 500, Message: "Internal Server Error", Reason: reason}
}

// NoSuchMember is the refusal for an id that no member has; the id as it was given.
func NoSuchMember(id string) *MemberError {
	return &MemberError{Status: 404, Message: "No such member: " + id}
}

func badMember(format string, args ...any) *MemberError {
	return &MemberError{Status: 400, Message: fmt.Sprintf(format, args...)}
}

// DecodePeerURLs reads the body of a POST or PUT of /v2/members. It returns the
// URLs trimmed and sorted.
func DecodePeerURLs(contentType string, body []byte) ([]string, *MemberError) {
	media, _, _ := strings.Cut(contentType, ";")
	if media = strings.ToLower(strings.TrimSpace(media)); media != "application/json" {
		return nil, &MemberError{Status: 415, Message: "Bad Content-Type " + media + ", accept application/json"}
	}
	var in struct {
		PeerURLs []string `json:"peerURLs"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badMember("%v", err)
	}
	if len(in.PeerURLs) == 0 {
		return nil, badMember("no valid URLs given")
	}
	var urls []string
	for _, s := range in.PeerURLs {
		u, refusal := checkPeerURL(strings.TrimSpace(s))
		if refusal != nil {
			return nil, refusal
		}
		urls = append(urls, u)
	}
	slices.Sort(urls)
	return slices.Compact(urls), nil
}

func checkPeerURL(s string) (string, *MemberError) {
	u, err := url.Parse(s)
	if err != nil {
		return "", badMember("%v", err)
	}
	switch u.Scheme {
	case "http", "https", "unix", "unixs":
	default:
		return "", badMember("URL scheme must be http, https, unix, or unixs: %s", s)
	}
	switch {
	case u.Port() == "":
		return "", badMember("URL address does not have the form \"host:port\": %s", s)
	case u.Path != "":
		return "", badMember("URL must not contain a path: %s", s)
	}
	return u.String(), nil
}

// Seat is what a change of membership is judged by of one member.
type Seat struct {
	ID       uint64
	Name     string
	PeerURLs []string
	// Voter is not set on one that only receives the log. Up says that it can be
	// reached, or is this member.
	Voter, Up bool
}

// Admit says whether a member with these peer URLs may be added: one at a time,
// and not twice.
func Admit(seats []Seat, urls []string) *MemberError {
	for i := range seats {
		if s := &seats[i]; !s.Voter && s.Name == "" {
			return Internal(fmt.Sprintf("member %x was added and has not started yet: start it or remove it first", s.ID))
		}
	}
	for i := range seats {
		if slices.ContainsFunc(urls, func(u string) bool { return slices.Contains(seats[i].PeerURLs, u) }) {
			return URLTaken()
		}
	}
	return nil
}

// URLTaken is the refusal of a peer URL that is another member's.
func URLTaken() *MemberError {
	return &MemberError{Status: 409, Message: "membership: peerURL exists"}
}

// Dismiss says whether the member may be removed: what is left must have a
// majority that is up, or the cluster could do nothing any more. One that is
// down itself only stands in the way of that.
func Dismiss(seats []Seat, id uint64) *MemberError {
	i := slices.IndexFunc(seats, func(s Seat) bool { return s.ID == id })
	if i < 0 {
		return NoSuchMember(fmt.Sprintf("%x", id))
	}
	if !seats[i].Voter {
		return nil
	}
	left, up := 0, 0
	for j := range seats {
		if j == i || !seats[j].Voter {
			continue
		}
		left++
		if seats[j].Up {
			up++
		}
	}
	if left == 0 || (seats[i].Up && up < left/2+1) {
		return Internal(fmt.Sprintf(
			"without member %x only %d of %d would be up, which is no majority: start or remove those that are down first", id, up, left))
	}
	return nil
}
