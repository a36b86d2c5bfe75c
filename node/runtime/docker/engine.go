package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultSocket is where the engine listens.
const DefaultSocket = "/var/run/docker.sock"

const (
	// apiVersion is of engines from 20.10 (2020) on; later ones speak it, too, and
	// so does Podman.
	apiVersion = "/v1.41"
	// maxAnswer bounds an answer; a container takes about 1 KiB of a list.
	maxAnswer = 64 << 20
	callLimit = 30 * time.Second
)

// container is what the engine says of one.
type container struct {
	ID      string
	Names   []string // without the slash in front
	Image   string   // as it was asked for
	Labels  map[string]string
	Created time.Time
	// Running says that it has processes: it runs, is paused or restarting.
	Running bool
	// Unused says that it was made and has never run.
	Unused bool
	// Command are its arguments; only inspect tells.
	Command []string
}

// engine is a client of the Docker engine's API over its Unix socket.
type engine struct {
	http *http.Client
}

func newEngine(socket string) *engine {
	if socket == "" {
		socket = DefaultSocket
	}
	return &engine{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConns: 2, IdleConnTimeout: time.Second,
	}}}
}

func (e *engine) close() { e.http.CloseIdleConnections() }

// call sends a request and decodes the answer into what result points to, unless
// that is nil. It returns the status of any answer.
func (e *engine) call(ctx context.Context, method, path string, result any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+apiVersion+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := e.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking the Docker engine: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body := io.LimitReader(res.Body, maxAnswer)
	if res.StatusCode >= 300 {
		var problem struct{ Message string }
		text, _ := io.ReadAll(body)
		if json.Unmarshal(text, &problem) != nil || problem.Message == "" {
			problem.Message = strings.TrimSpace(string(text))
		}
		return res.StatusCode, fmt.Errorf("the Docker engine answers %d to %s %s: %s", res.StatusCode, method, path, problem.Message)
	}
	if result == nil {
		return res.StatusCode, nil
	}
	if err := json.NewDecoder(body).Decode(result); err != nil {
		return res.StatusCode, fmt.Errorf("the Docker engine's answer to %s: %w", path, err)
	}
	return res.StatusCode, nil
}

// list returns all containers, also those that have ended.
func (e *engine) list(ctx context.Context) ([]container, error) {
	var answer []struct {
		ID      string `json:"Id"`
		Names   []string
		Image   string
		Labels  map[string]string
		Created int64
		State   string
	}
	if _, err := e.call(ctx, http.MethodGet, "/containers/json?all=1", &answer); err != nil {
		return nil, err
	}
	list := make([]container, 0, len(answer))
	for _, a := range answer {
		c := container{ID: a.ID, Image: a.Image, Labels: a.Labels, Created: time.Unix(a.Created, 0)}
		for _, name := range a.Names {
			// Links give a container more names: /other/alias.
			if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
				c.Names = append(c.Names, name)
			}
		}
		c.Unused = a.State == "created"
		c.Running = a.State == "running" || a.State == "paused" || a.State == "restarting"
		list = append(list, c)
	}
	return list, nil
}

// inspect adds what a list doesn't say; ok is false if the container has gone.
func (e *engine) inspect(ctx context.Context, c container) (_ container, ok bool, err error) {
	var answer struct {
		Created time.Time
		Config  struct {
			Image string
			Cmd   []string
		}
	}
	status, err := e.call(ctx, http.MethodGet, "/containers/"+url.PathEscape(c.ID)+"/json", &answer)
	if status == http.StatusNotFound {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	c.Created, c.Image, c.Command = answer.Created, answer.Config.Image, answer.Config.Cmd
	return c, true, nil
}

// remove kills a container if it runs, and removes it. One that has gone, or is
// going, is no error.
func (e *engine) remove(ctx context.Context, id string) error {
	status, err := e.call(ctx, http.MethodDelete, "/containers/"+url.PathEscape(id)+"?force=1", nil)
	if status == http.StatusNotFound || status == http.StatusConflict {
		return nil
	}
	return err
}
