package tether

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Times of dialling.
const (
	dialTime  = time.Second
	shakeTime = 2 * time.Second
)

// maxAnswer and maxReason bound what is read of an answer and of a refusal.
const (
	maxAnswer = 64 << 10
	maxReason = 512
)

// DialOptions are what a machine needs to call a member.
type DialOptions struct {
	// URL is the member's peer URL: http or https, host and port.
	URL string
	// Cluster and Machine are the cluster's and the machine's ids.
	Cluster uint64
	Machine string
	// Release is the program's version, Token the cluster's join token, if known.
	Release, Token string
	// TLS is used for https URLs; nil if there are none. A server name that isn't set
	// is the URL's host.
	TLS *tls.Config

	_ struct{}
}

// Dial connects to a member. The error matches *Refusal if the member will not have
// this machine.
func Dial(ctx context.Context, o DialOptions) (*Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime+shakeTime)
	defer cancel()
	conn, host, err := connect(ctx, &o)
	if err != nil {
		return nil, err
	}
	// The end of ctx must not wait for an answer that doesn't come.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	in, err := shake(conn, host, &o)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	st := newStream(conn, in, 0)
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// connect opens a connection, with TLS if the URL says so.
func connect(ctx context.Context, o *DialOptions) (net.Conn, string, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("peer URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Port() == "", strings.Trim(u.Path, "/") != "":
		return nil, "", fmt.Errorf("peer URL %q: want http or https, host and port", printable(o.URL))
	case u.Scheme == "https" && o.TLS == nil:
		return nil, "", errors.New("an https URL, and TLS for peers is not configured here")
	}
	dialer := net.Dialer{Timeout: dialTime}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, "", err
	}
	tune(conn)
	if u.Scheme == "http" {
		return conn, u.Host, nil
	}
	config := o.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	config.NextProtos = []string{"http/1.1"} // others have no upgrade
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // closed already, if time ran out
		return nil, "", fmt.Errorf("TLS: %w", err)
	}
	return secure, u.Host, nil
}

// shake makes the request and reads the answer.
func shake(conn net.Conn, host string, o *DialOptions) (*bufio.Reader, error) {
	h := hello{Low: LowestProtocol, High: HighestProtocol, Cluster: o.Cluster, Machine: o.Machine, Release: o.Release, Token: o.Token}
	req := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: host, Path: Path}, Host: host,
		Header: h.header(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxAnswer}
	in := bufio.NewReader(limited)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, noAnswer(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, readRefusal(resp)
	}
	limited.N = 1<<63 - 1
	version, _ := strconv.Atoi(resp.Header.Get(headProtocol))
	cluster, _ := strconv.ParseUint(resp.Header.Get(headCluster), 16, 64)
	switch {
	case !strings.EqualFold(resp.Header.Get("Upgrade"), upgradeTo):
		return nil, fmt.Errorf("upgraded to %q, which is not what was asked for", printable(resp.Header.Get("Upgrade")))
	case version < h.Low || version > h.High:
		return nil, refuse(WhyVersion, "it chose version %q of %d to %d", printable(resp.Header.Get(headProtocol)), h.Low, h.High)
	case cluster != o.Cluster:
		return nil, refuse(WhyCluster, "it is of cluster %x, this machine of cluster %x", cluster, o.Cluster)
	}
	return in, nil
}

// noAnswer says what it may mean that no HTTP answer came.
func noAnswer(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		// Under TLS 1.3 who is called judges our certificate after we have begun.
		return fmt.Errorf("TLS: the member refuses this machine's certificate: %w", op.Err)
	}
	return fmt.Errorf("no HTTP answer (is it a peer port, and the URL's scheme right?): %w", err)
}

// readRefusal makes an error of an answer that is no welcome.
func readRefusal(resp *http.Response) error {
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	said := strings.TrimSpace(printable(string(text)))
	switch why := Why(resp.Header.Get(headRefused)); why {
	case WhyRequest, WhyVersion, WhyCluster, WhyToken, WhyBusy:
		return &Refusal{Why: why, Text: said}
	}
	return fmt.Errorf("answered %d %q, which is not a member's (is it a peer port, and of this release?)", resp.StatusCode, said)
}
