package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"drydock/node/world"
)

// upgradeTo is the protocol that a connection is upgraded to.
const upgradeTo = "drydock-peer"

// Header fields of the handshake.
const (
	headProtocol = "Drydock-Protocol" // request: LOW-HIGH; answer: the one to use
	headRelease  = "Drydock-Release"
	headCluster  = "Drydock-Cluster"
	headFrom     = "Drydock-From"
	headTo       = "Drydock-To"
	headLife     = "Drydock-Life"
	headAttempt  = "Drydock-Attempt"
	headStream   = "Drydock-Stream"
	headName     = "Drydock-Name"
	headURLs     = "Drydock-Urls"
	headRefused  = "Drydock-Refused"
)

// Bounds of the handshake's fields.
const (
	maxText = 256
	maxURLs = 16
	maxURL  = 1024
)

// Names of the streams in the handshake.
const (
	streamMessages  = "messages"
	streamSnapshots = "snapshots"
)

// hello is what a caller says of itself, and the other in its answer.
type hello struct {
	Low, High     int // versions of the protocol
	Cluster       uint64
	From, To      world.MemberID
	Life          uint64 // of the process
	Attempt       uint64 // grows with each that a life makes
	Stream        string
	Name, Release string
	URLs          []string
}

func hex(v uint64) string { return strconv.FormatUint(v, 16) }

// header encodes h as fields of a request.
func (h *hello) header() http.Header {
	head := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {upgradeTo},
		headProtocol: {fmt.Sprintf("%d-%d", h.Low, h.High)},
		headCluster:  {hex(h.Cluster)}, headFrom: {hex(uint64(h.From))}, headTo: {hex(uint64(h.To))},
		headLife: {hex(h.Life)}, headAttempt: {hex(h.Attempt)}, headStream: {h.Stream},
	}
	// What is for people travels escaped: a header can't hold every character.
	for name, text := range map[string]string{headName: h.Name, headRelease: h.Release} {
		if text != "" {
			head.Set(name, url.QueryEscape(text))
		}
	}
	for _, u := range h.URLs {
		head.Add(headURLs, url.QueryEscape(u))
	}
	return head
}

// fieldError is a header field that does not say what it should.
type fieldError struct{ field, value, want string }

func (e *fieldError) Error() string {
	return fmt.Sprintf("%s is %q, want %s", e.field, e.value, e.want)
}

// parseHello reads the fields of a request.
func parseHello(head http.Header) (h hello, err error) {
	// The version first: without one in common the rest may mean something else.
	if h.Low, h.High, err = parseProtocol(head.Get(headProtocol)); err != nil {
		return h, err
	}
	for _, f := range [...]struct {
		name string
		to   *uint64
	}{
		{headCluster, &h.Cluster},
		{headFrom, (*uint64)(&h.From)},
		{headTo, (*uint64)(&h.To)},
		{headLife, &h.Life},
		{headAttempt, &h.Attempt},
	} {
		if *f.to, err = strconv.ParseUint(head.Get(f.name), 16, 64); err != nil || *f.to == 0 {
			return h, &fieldError{f.name, printable(head.Get(f.name)), "a hexadecimal number above zero"}
		}
	}
	h.Stream = head.Get(headStream)
	if h.Stream != streamMessages && h.Stream != streamSnapshots {
		return h, &fieldError{headStream, printable(h.Stream), streamMessages + " or " + streamSnapshots}
	}
	if h.Name, err = parseText(head, headName); err != nil {
		return h, err
	}
	if h.Release, err = parseText(head, headRelease); err != nil {
		return h, err
	}
	h.URLs, err = parseURLs(head.Values(headURLs))
	return h, err
}

// parseProtocol reads a range of versions.
func parseProtocol(s string) (low, high int, err error) {
	a, b, ok := strings.Cut(s, "-")
	low, errLow := strconv.Atoi(a)
	high, errHigh := strconv.Atoi(b)
	if !ok || errLow != nil || errHigh != nil || low < 1 || high < low || high > 1<<16 {
		return 0, 0, &fieldError{headProtocol, printable(s), "a range of versions such as 1-1"}
	}
	return low, high, nil
}

func parseText(head http.Header, name string) (string, error) {
	s, err := url.QueryUnescape(head.Get(name))
	if err != nil || len(s) > maxText {
		return "", &fieldError{name, printable(head.Get(name)), fmt.Sprintf("at most %d bytes of escaped text", maxText)}
	}
	return printable(s), nil
}

func parseURLs(values []string) ([]string, error) {
	if len(values) > maxURLs {
		return nil, &fieldError{headURLs, fmt.Sprintf("(%d of them)", len(values)), fmt.Sprintf("%d at most", maxURLs)}
	}
	var urls []string
	for _, v := range values {
		s, err := url.QueryUnescape(v)
		if err != nil || len(s) > maxURL {
			return nil, &fieldError{headURLs, printable(v), "an escaped URL"}
		}
		if _, _, err := splitURL(s); err != nil {
			return nil, err
		}
		urls = append(urls, s)
	}
	return urls, nil
}

// splitURL checks a peer URL and returns its scheme and host with port.
func splitURL(s string) (scheme, host string, err error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("peer URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "", fmt.Errorf("peer URL %q: the scheme must be http or https", printable(s))
	case u.Hostname() == "" || u.Port() == "":
		return "", "", fmt.Errorf("peer URL %q: want host and port", printable(s))
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		return "", "", fmt.Errorf("peer URL %q: want nothing but host and port", printable(s))
	}
	return u.Scheme, u.Host, nil
}

// Why is the kind of a refusal.
type Why string

// The kinds of refusals.
const (
	WhyRequest   Why = "request"   // the request is no handshake
	WhyVersion   Why = "version"   // no version of the protocol in common
	WhyCluster   Why = "cluster"   // the caller is of another cluster
	WhySelf      Why = "self"      // a member called itself
	WhyAddressee Why = "addressee" // another member was called
	WhyRemoved   Why = "removed"   // the caller was removed from the cluster
	WhyStranger  Why = "stranger"  // the caller is unknown and gives no address
	WhyBusy      Why = "busy"      // too many connections, or the end is near
)

// whyStatus is the HTTP status of a refusal.
var whyStatus = map[Why]int{
	WhyRequest: http.StatusBadRequest, WhyVersion: http.StatusUpgradeRequired,
	WhyCluster: http.StatusPreconditionFailed, WhySelf: http.StatusLoopDetected,
	WhyAddressee: http.StatusMisdirectedRequest, WhyRemoved: http.StatusGone,
	WhyStranger: http.StatusForbidden, WhyBusy: http.StatusServiceUnavailable,
}

// Refusal is a handshake that was refused, by either side.
type Refusal struct {
	Why Why
	// Text is a sentence for people.
	Text string
}

// Error implements error.
func (r *Refusal) Error() string { return "refused (" + string(r.Why) + "): " + r.Text }

// judge says why the caller is refused, or nil and whether it is a stranger.
func (t *Transport) judge(h *hello) (r *Refusal, stranger bool) {
	refuse := func(why Why, format string, args ...any) (*Refusal, bool) {
		return &Refusal{Why: why, Text: fmt.Sprintf(format, args...)}, false
	}
	switch {
	case h.Low > HighestProtocol || h.High < LowestProtocol:
		return refuse(WhyVersion, "this member (release %s) speaks versions %d to %d of the protocol, the caller (release %s) %d to %d",
			orUnknown(t.o.Release), LowestProtocol, HighestProtocol, orUnknown(h.Release), h.Low, h.High)
	case h.Cluster != t.o.Cluster:
		return refuse(WhyCluster, "this member is of cluster %x, the caller of cluster %x", t.o.Cluster, h.Cluster)
	case h.From == t.o.ID:
		return refuse(WhySelf, "the caller has this member's own id %x", uint64(h.From))
	case h.To != t.o.ID:
		return refuse(WhyAddressee, "this is member %x, not %x", uint64(t.o.ID), uint64(h.To))
	}
	if p := (*t.book.Load())[h.From]; p != nil && !p.guest.Load() {
		return nil, false
	}
	switch {
	case t.o.Removed != nil && t.o.Removed(h.From):
		return refuse(WhyRemoved, "member %x was removed from the cluster for good", uint64(h.From))
	case len(h.URLs) == 0:
		return refuse(WhyStranger, "member %x is not known here and gives no URL to be answered at", uint64(h.From))
	}
	return nil, true
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
