package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"drydock/node/fleetapi"
)

// hopTime is how long another node may take to begin its answer.
const hopTime = 5 * time.Second

// passOn has the node answer that the machine is at. It tries each of its URLs that
// doesn't take a connection; the answer of the first that does is the answer.
func (s *server) passOn(w http.ResponseWriter, r *http.Request, at fleetapi.Place) {
	why := errors.New("it has told of no URL")
	for _, base := range at.URLs {
		resp, err := s.attempt(r, base, at.Machine)
		if err != nil {
			why = err
			continue
		}
		copyAnswer(w, resp)
		return
	}
	s.Log.Debug("a machine's node doesn't answer", "machine", at.Machine, "err", why)
	Write(w, fleetapi.Fail(http.StatusBadGateway, fmt.Sprintf("machine %s can't be reached: %v", at.Machine, why)))
}

func (s *server) attempt(r *http.Request, base, machine string) (*http.Response, error) {
	to, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	query.Set("machine", machine)
	to.Path, to.RawQuery = strings.TrimSuffix(to.Path, "/")+r.URL.Path, query.Encode()
	ctx, end := context.WithCancelCause(r.Context())
	late := time.AfterFunc(hopTime, func() { end(fmt.Errorf("no answer within %v", hopTime)) })
	out, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		end(err)
		return nil, err
	}
	out.Header.Set(HeaderHop, ticket(s.Token, machine, r.URL.Path, time.Now()))
	// A member sees users' passwords anyway; whoever else is at a machine's URL doesn't.
	if credentials := r.Header.Get("Authorization"); credentials != "" && s.Member != nil && s.Member(base) {
		out.Header.Set("Authorization", credentials)
	}
	resp, err := s.Client.Do(out)
	if err == nil && !late.Stop() {
		err = errors.Join(context.Cause(ctx), resp.Body.Close())
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		end(err)
		return nil, err
	}
	resp.Body = &ending{ReadCloser: resp.Body, end: end}
	return resp, nil
}

// ending ends a request with its answer.
type ending struct {
	io.ReadCloser
	end context.CancelCauseFunc
}

// Close implements io.Closer.
func (e *ending) Close() error {
	err := e.ReadCloser.Close()
	e.end(nil)
	return err
}

// copyAnswer hands an answer through as it comes.
func copyAnswer(w http.ResponseWriter, resp *http.Response) {
	defer func() { _ = resp.Body.Close() }()
	for _, name := range []string{"Content-Type", "Server", fleetapi.HeaderOurs, fleetapi.HeaderMachine} {
		if v := resp.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(resp.StatusCode)
	rc := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil || rc.Flush() != nil {
				return
			}
		}
		if err != nil {
			return // it ends where the other node's ended
		}
	}
}
