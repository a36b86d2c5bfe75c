package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// SelfStats are what the member that answers tells of itself.
type SelfStats struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// State is StateLeader or StateFollower.
	State      string    `json:"state"`
	StartTime  time.Time `json:"startTime"`
	LeaderInfo struct {
		Leader    string    `json:"leader"`
		Uptime    string    `json:"uptime"`
		StartTime time.Time `json:"startTime"`
	} `json:"leaderInfo"`
	RecvAppendRequestCnt uint64 `json:"recvAppendRequestCnt"`
	SendAppendRequestCnt uint64 `json:"sendAppendRequestCnt"`
}

// LeaderStats are what the leader knows of its followers, by id.
type LeaderStats struct {
	Leader    string                   `json:"leader"`
	Followers map[string]FollowerStats `json:"followers"`
}

// FollowerStats are a link's.
type FollowerStats struct {
	// Latency is in milliseconds.
	Latency struct {
		Current           float64 `json:"current"`
		Average           float64 `json:"average"`
		StandardDeviation float64 `json:"standardDeviation"`
		Minimum           float64 `json:"minimum"`
		Maximum           float64 `json:"maximum"`
	} `json:"latency"`
	Counts struct {
		Fail    uint64 `json:"fail"`
		Success uint64 `json:"success"`
	} `json:"counts"`
}

// Version is what a member runs, and what its cluster does.
type Version struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
}

// SelfStats asks a member of itself.
func (c *Client) SelfStats(ctx context.Context) (*SelfStats, error) {
	s := &SelfStats{}
	return s, c.json(ctx, http.MethodGet, "/v2/stats/self", nil, s)
}

// LeaderStats asks for the followers' links; only the leader answers.
func (c *Client) LeaderStats(ctx context.Context) (*LeaderStats, error) {
	s := &LeaderStats{}
	return s, c.json(ctx, http.MethodGet, "/v2/stats/leader", nil, s)
}

// StoreStats asks for the counters of operations, by the API's names.
func (c *Client) StoreStats(ctx context.Context) (map[string]uint64, error) {
	var s map[string]uint64
	err := c.json(ctx, http.MethodGet, "/v2/stats/store", nil, &s)
	return s, err
}

// Version asks which release runs.
func (c *Client) Version(ctx context.Context) (*Version, error) {
	v := &Version{}
	return v, c.json(ctx, http.MethodGet, "/version", nil, v)
}

// Health asks one endpoint whether it can serve, rather than the cluster. The error
// is the connection's.
func (c *Client) Health(ctx context.Context, endpoint string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/health", nil)
	if err != nil {
		return false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var said struct{ Health any }
	if err := json.NewDecoder(&boundedBody{resp.Body, 1 << 20}).Decode(&said); err != nil {
		return false, err
	}
	return said.Health == "true" || said.Health == true, nil
}
