package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Member is one of the cluster's.
type Member struct {
	// ID is in hexadecimal.
	ID string `json:"id"`
	// Name is empty, and so are ClientURLs, until the member has started once.
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

// ErrNoLeader is matched when the cluster has no leader at the moment.
var ErrNoLeader = errors.New("client: the cluster has no leader")

// Members lists the members. Any of them answers, without a majority as well.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var list struct {
		Members []Member `json:"members"`
	}
	if err := c.json(ctx, http.MethodGet, "/v2/members", nil, &list); err != nil {
		return nil, err
	}
	return list.Members, nil
}

// Leader returns the member that leads.
func (c *Client) Leader(ctx context.Context) (*Member, error) {
	m := &Member{}
	if err := c.json(ctx, http.MethodGet, "/v2/members/leader", nil, m); err != nil {
		return nil, err
	}
	if m.ID == "" {
		return nil, ErrNoLeader
	}
	return m, nil
}

// AddMember tells the cluster of a member that will be started, by the URL at which
// its peers will reach it.
func (c *Client) AddMember(ctx context.Context, peerURL string) (*Member, error) {
	m := &Member{}
	body := map[string][]string{"peerURLs": {peerURL}}
	if err := c.json(ctx, http.MethodPost, "/v2/members", body, m); err != nil {
		return nil, err
	}
	return m, nil
}

// UpdateMember changes a member's peer URLs.
func (c *Client) UpdateMember(ctx context.Context, id string, peerURLs []string) error {
	body := map[string][]string{"peerURLs": peerURLs}
	return c.json(ctx, http.MethodPut, "/v2/members/"+id, body, nil)
}

// RemoveMember takes a member out of the cluster, for good.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	return c.json(ctx, http.MethodDelete, "/v2/members/"+id, nil, nil)
}

// json carries out a request whose body and answer are JSON. in and out may be nil.
func (c *Client) json(ctx context.Context, method, path string, in, out any) error {
	call := &call{method: method, path: path, again: method == http.MethodGet}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		call.body, call.contentType = body, "application/json"
	}
	resp, err := c.do(ctx, call)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return bodyError(ctx, call, err)
	case resp.StatusCode/100 != 2:
		return refusal(resp.StatusCode, body)
	case out == nil || len(body) == 0:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w", ErrInvalidJSON)
	}
	return nil
}

// refusal reads the answer of a request that was not carried out.
func refusal(status int, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Message == "" {
		said.Message = fmt.Sprintf("unexpected status code %d", status)
	}
	return &HTTPError{Status: status, Message: said.Message}
}
