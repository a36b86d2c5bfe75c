package tether

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Path is where a peer port takes machines' connections.
const Path = "/drydock/machine"

// Protocol versions that this release speaks.
const (
	LowestProtocol  = 1
	HighestProtocol = 1
)

// upgradeTo is the protocol that a connection is upgraded to.
const upgradeTo = "drydock-machine"

// Header fields of the handshake; those of numbers are hexadecimal.
const (
	headProtocol = "Drydock-Protocol" // request: LOW-HIGH; answer: the one to use
	headCluster  = "Drydock-Cluster"
	headMachine  = "Drydock-Machine"
	headRelease  = "Drydock-Release"
	headFrom     = "Drydock-From" // the member that answers
	headRefused  = "Drydock-Refused"
	headToken    = "Authorization"
	bearer       = "Bearer "
)

// maxText bounds what a side says of itself.
const maxText = 256

// Why is the kind of a refusal.
type Why string

// The kinds of refusals.
const (
	WhyRequest Why = "request" // the request is no handshake
	WhyVersion Why = "version" // no version of the protocol in common
	WhyCluster Why = "cluster" // the caller is of another cluster
	WhyToken   Why = "token"   // the caller doesn't know the join token
	WhyBusy    Why = "busy"    // too many connections, or the member stops
)

func (w Why) status() int {
	switch w {
	case WhyVersion:
		return http.StatusUpgradeRequired
	case WhyCluster:
		return http.StatusPreconditionFailed
	case WhyToken:
		return http.StatusForbidden
	case WhyBusy:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// Refusal is a handshake that was refused, by either side.
type Refusal struct {
	Why Why
	// Text is a sentence for people.
	Text string
}

// Error implements error.
func (r *Refusal) Error() string { return "refused (" + string(r.Why) + "): " + r.Text }

func refuse(why Why, format string, args ...any) *Refusal {
	return &Refusal{Why: why, Text: fmt.Sprintf(format, args...)}
}

// hello is what a machine says of itself.
type hello struct {
	Low, High int
	Cluster   uint64
	Machine   string
	Release   string
	Token     string
}

func hex(n uint64) string { return strconv.FormatUint(n, 16) }

// header encodes h as fields of a request.
func (h *hello) header() http.Header {
	head := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {upgradeTo},
		headProtocol: {fmt.Sprintf("%d-%d", h.Low, h.High)},
		headCluster:  {hex(h.Cluster)}, headMachine: {h.Machine},
		headRelease: {url.QueryEscape(h.Release)},
	}
	if h.Token != "" {
		head.Set(headToken, bearer+h.Token)
	}
	return head
}

// parseHello reads the fields of a request.
func parseHello(head http.Header) (h hello, bad *Refusal) {
	if up := head.Get("Upgrade"); !strings.EqualFold(up, upgradeTo) {
		return h, refuse(WhyRequest, "this takes an upgrade to %s, not to %q", upgradeTo, printable(up))
	}
	var ok bool
	// The version first: without one in common the rest may mean something else.
	if h.Low, h.High, ok = parseProtocol(head.Get(headProtocol)); !ok {
		return h, refuse(WhyRequest, "%s is %q, want a range of versions such as 1-1", headProtocol, printable(head.Get(headProtocol)))
	}
	if h.Low > HighestProtocol || h.High < LowestProtocol {
		return h, refuse(WhyVersion, "this member speaks versions %d to %d of the protocol, the machine %d to %d", LowestProtocol, HighestProtocol, h.Low, h.High)
	}
	var err error
	if h.Cluster, err = strconv.ParseUint(head.Get(headCluster), 16, 64); err != nil || h.Cluster == 0 {
		return h, refuse(WhyRequest, "%s is %q, want a hexadecimal number above zero", headCluster, printable(head.Get(headCluster)))
	}
	if h.Machine = head.Get(headMachine); !IsID(h.Machine) {
		return h, refuse(WhyRequest, "%s is %q, want 32 hexadecimal digits in lower case", headMachine, printable(h.Machine))
	}
	if h.Release, err = url.QueryUnescape(head.Get(headRelease)); err != nil || len(h.Release) > maxText {
		return h, refuse(WhyRequest, "%s is %q, want at most %d bytes of escaped text", headRelease, printable(head.Get(headRelease)), maxText)
	}
	h.Release = printable(h.Release)
	h.Token, _ = strings.CutPrefix(head.Get(headToken), bearer)
	return h, nil
}

// parseProtocol reads a range of versions.
func parseProtocol(s string) (low, high int, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	low, errLow := strconv.Atoi(a)
	high, errHigh := strconv.Atoi(b)
	return low, high, ok && errLow == nil && errHigh == nil && low >= 1 && high >= low
}

// IsID says whether a text is a machine's id: 32 hexadecimal digits in lower case, not
// all of them zero.
func IsID(s string) bool {
	zero := true
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		zero = zero && c == '0'
	}
	return len(s) == 32 && !zero
}

// secret is a token that is compared in constant time, by its digest, so that its
// length doesn't show either.
type secret struct {
	sum [sha256.Size]byte
	set bool
}

func newSecret(token string) secret {
	return secret{sha256.Sum256([]byte(token)), token != ""}
}

func (s *secret) knows(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1
}

// printable makes a text from elsewhere fit for a log: one line of plain characters,
// of bounded length.
func printable(s string) string {
	const most = 512
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s[:min(len(s), most)])
}
