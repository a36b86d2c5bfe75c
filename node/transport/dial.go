package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"drydock/node/world"
)

// Bounds of what is read of an answer.
const (
	maxAnswer = 64 << 10
	maxReason = 512
)

// dial tries the peer's URLs in turn, beginning with the one that was good last.
func (s *stream) dial() (*link, error) {
	select {
	case <-s.again: // this is the attempt that was asked for
	default:
	}
	ctx := s.p.ctx
	urls := s.p.entry.Load().URLs
	if len(urls) == 0 {
		return nil, errors.New("no peer URL is known")
	}
	var errs []error
	for i := range urls {
		n := (s.url + i) % len(urls)
		l, err := s.p.t.connect(ctx, urls[n], s.p.id, s.name)
		if err == nil {
			s.url = n
			return l, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", urls[n], err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// open connects to a peer URL, with TLS if it says so.
func (t *Transport) open(ctx context.Context, raw string) (conn net.Conn, host string, err error) {
	scheme, host, err := splitURL(raw)
	if err != nil {
		return nil, "", err
	}
	if scheme == "https" && t.o.TLSClient == nil {
		return nil, "", errors.New("an https URL, and TLS for peers is not configured here")
	}
	dialer := net.Dialer{Timeout: t.t.dial}
	conn, err = dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, "", err
	}
	tune(conn)
	if scheme == "http" {
		return conn, host, nil
	}
	config := t.o.TLSClient.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(host)
	}
	config.NextProtos = []string{"http/1.1"} // others have no upgrade
	secure := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(ctx, t.t.handshake)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // closed already, if time ran out
		return nil, "", fmt.Errorf("TLS: %w", err)
	}
	return secure, host, nil
}

// connect opens a stream to a member.
func (t *Transport) connect(ctx context.Context, raw string, to world.MemberID, stream string) (l *link, err error) {
	conn, host, err := t.open(ctx, raw)
	if err != nil {
		return nil, err
	}
	// The end of ctx must not wait for an answer that doesn't come.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			_ = conn.Close()
		}
	}()
	err = errors.Join(conn.SetDeadline(time.Now().Add(t.t.handshake)), ctx.Err())
	if err != nil {
		return nil, err
	}
	h := hello{
		Low: LowestProtocol, High: HighestProtocol, Cluster: t.o.Cluster, From: t.o.ID, To: to,
		Life: t.life, Attempt: t.attempts.Add(1), Stream: stream, Name: t.o.Name, Release: t.o.Release, URLs: t.o.URLs,
	}
	head, in, err := shake(conn, host, &h)
	if err != nil {
		return nil, err
	}
	l = newLink(conn, in, raw, head)
	return l, conn.SetDeadline(time.Time{})
}

// welcome is what the other side says of itself when it lets a caller in.
type welcome struct {
	life    uint64
	release string
}

// shake makes the request and reads the answer.
func shake(conn net.Conn, host string, h *hello) (welcome, *bufio.Reader, error) {
	req := &http.Request{Method: http.MethodGet, URL: pathURL(host), Host: host, Header: h.header(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if err := req.Write(conn); err != nil {
		return welcome{}, nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxAnswer}
	in := bufio.NewReader(limited)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return welcome{}, nil, noAnswer(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return welcome{}, nil, readRefusal(resp)
	}
	w, err := readWelcome(resp.Header, h)
	limited.N = 1<<63 - 1
	return w, in, err
}

// noAnswer says what it may mean that no HTTP answer came.
func noAnswer(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		// Under TLS 1.3 who is called judges our certificate after we have begun.
		return fmt.Errorf("TLS: the other side refuses this member's certificate: %w", op.Err)
	}
	return fmt.Errorf("no HTTP answer (is it a peer port, and the URL's scheme right?): %w", err)
}

// readRefusal makes an error of an answer that is no welcome.
func readRefusal(resp *http.Response) error {
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	said := strings.TrimSpace(printable(string(text)))
	why := Why(resp.Header.Get(headRefused))
	if _, known := whyStatus[why]; !known {
		return fmt.Errorf("answered %d %q, which is not a member's (is it a peer port?)", resp.StatusCode, said)
	}
	return &Refusal{Why: why, Text: said}
}

// readWelcome checks that the answer comes from who was called.
func readWelcome(head http.Header, h *hello) (w welcome, err error) {
	number := func(name string) uint64 {
		v, _ := strconv.ParseUint(head.Get(name), 16, 64)
		return v
	}
	version, _ := strconv.Atoi(head.Get(headProtocol))
	switch {
	case head.Get("Upgrade") != upgradeTo:
		return w, fmt.Errorf("upgraded to %q, which is not what was asked for", printable(head.Get("Upgrade")))
	case version < h.Low || version > h.High:
		return w, &Refusal{WhyVersion, fmt.Sprintf("it chose version %q of %d to %d", printable(head.Get(headProtocol)), h.Low, h.High)}
	case number(headCluster) != h.Cluster:
		return w, &Refusal{WhyCluster, fmt.Sprintf("it is of cluster %x, this member of cluster %x", number(headCluster), h.Cluster)}
	case number(headFrom) != uint64(h.To):
		return w, &Refusal{WhyAddressee, fmt.Sprintf("it is member %x, not %x", number(headFrom), uint64(h.To))}
	}
	w.life = number(headLife)
	w.release, err = parseText(head, headRelease)
	return w, err
}

// Identity is what a peer port says of itself to anyone.
type Identity struct {
	Cluster  string `json:"cluster"` // hexadecimal, as ID
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Release  string `json:"release,omitempty"`
	Protocol string `json:"protocol"` // versions, LOW-HIGH
}

// Probe asks who is at a peer URL.
func (t *Transport) Probe(ctx context.Context, raw string) (id Identity, err error) {
	conn, host, err := t.open(ctx, raw)
	if err != nil {
		return id, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := conn.SetDeadline(time.Now().Add(t.t.handshake)); err != nil {
		return id, err
	}
	req := &http.Request{Method: http.MethodGet, URL: pathURL(host), Host: host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true}
	if err := req.Write(conn); err != nil {
		return id, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), req)
	if err != nil {
		return id, noAnswer(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return id, readRefusal(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(&id); err != nil {
		return id, fmt.Errorf("the answer is not a member's (is it a peer port?): %w", err)
	}
	return id, nil
}
