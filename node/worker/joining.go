package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of joining.
var (
	// ErrRefused is matched when the cluster doesn't let the worker in.
	ErrRefused = errors.New("worker: the cluster refuses this worker")
	// errElsewhere is matched when an answer comes from another cluster.
	errElsewhere = errors.New("another cluster answers")
)

const askTimeout = 5 * time.Second

// asker asks members about the cluster.
type asker struct {
	client, peer *http.Client // for client URLs, and for the peers'
	token        string
}

// join asks one URL, of a client or a peer port, to let the worker in.
func (a *asker) join(ctx context.Context, c *http.Client, url string, m *memory) (*joinAnswer, error) {
	body, err := json.Marshal(joinRequest{Name: m.Name, Worker: m.Worker, Cluster: m.Cluster})
	if err != nil {
		return nil, err
	}
	var ans joinAnswer
	head := http.Header{"Authorization": {"Bearer " + a.token}, "Content-Type": {"application/json"}}
	if _, err := exchange(ctx, c, http.MethodPost, trim(url)+PathJoin, head, body, &ans); err != nil {
		return nil, err
	}
	for _, id := range []string{ans.Cluster, ans.Worker} {
		if _, err := parseID(id); err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
	}
	ans.Members = sound(ans.Members)
	if len(clientURLs(ans.Members)) == 0 {
		return nil, fmt.Errorf("%s: no member says where it is for clients", url)
	}
	return &ans, nil
}

// members asks a client URL for the members. cluster, unless empty, is the one
// that they must be of.
func (a *asker) members(ctx context.Context, url, cluster string) (roster, error) {
	var ans struct {
		Members []memberJSON `json:"members"`
	}
	head, err := exchange(ctx, a.client, http.MethodGet, trim(url)+"/v2/members", nil, nil, &ans)
	if err != nil {
		return roster{}, err
	}
	return ours(url, head, cluster, ans.Members)
}

// peers asks a peer URL.
func (a *asker) peers(ctx context.Context, url, cluster string) (roster, error) {
	var list []memberJSON
	head, err := exchange(ctx, a.peer, http.MethodGet, trim(url)+"/members", nil, nil, &list)
	if err != nil {
		return roster{}, err
	}
	return ours(url, head, cluster, list)
}

// roster is a list of members and the cluster that they are of; "" if nobody said.
type roster struct {
	cluster string
	members []memberJSON
}

// ours takes a list of members if it is this cluster's.
func ours(url string, head http.Header, cluster string, list []memberJSON) (roster, error) {
	r := roster{members: sound(list)}
	if id, err := parseID(head.Get("X-Etcd-Cluster-Id")); err == nil {
		r.cluster = strconv.FormatUint(id, 16)
	}
	if cluster != "" && r.cluster != "" && r.cluster != cluster {
		return roster{}, fmt.Errorf("%s: %w: %s, not %s", url, errElsewhere, r.cluster, cluster)
	}
	if len(clientURLs(r.members)) == 0 {
		return roster{}, fmt.Errorf("%s: no member says where it is for clients", url)
	}
	return r, nil
}

// exchange sends a request and decodes the answer's JSON. A refusal for good
// matches ErrRefused.
func exchange(ctx context.Context, c *http.Client, method, url string, head http.Header, body []byte, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if head != nil {
		req.Header = head
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() {
		// What was read decides; nothing follows from a failed Close.
		_ = resp.Body.Close()
	}()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxJoinBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusForbidden, http.StatusConflict, http.StatusBadRequest:
		return nil, fmt.Errorf("%w: %s: %s", ErrRefused, url, excerpt(text))
	default:
		return nil, fmt.Errorf("%s: %s: %s", url, resp.Status, excerpt(text))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, fmt.Errorf("%s: not a member's answer: %s", url, excerpt(text))
	}
	return resp.Header, nil
}

func trim(url string) string { return strings.TrimRight(url, "/") }

// excerpt is the beginning of a body on one line.
func excerpt(body []byte) string {
	const most = 200
	text := strings.Join(strings.Fields(string(body)), " ")
	if len(text) > most {
		text = text[:most]
	}
	return text
}

// sameMembers says whether two lists tell the same.
func sameMembers(a, b []memberJSON) bool {
	return slices.EqualFunc(a, b, func(x, y memberJSON) bool {
		return x.ID == y.ID && x.Name == y.Name && slices.Equal(x.ClientURLs, y.ClientURLs) && slices.Equal(x.PeerURLs, y.PeerURLs)
	})
}
