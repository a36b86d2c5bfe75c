package front

import (
	"net/http"
	"strconv"
	"time"

	"drydock/node"
	"drydock/node/keys"
	"drydock/node/world"
)

// selfStats is the answer of /v2/stats/self. (etcd v2 API, "Self Statistics")
type selfStats struct {
	Name       string     `json:"name"`
	ID         string     `json:"id"`
	State      string     `json:"state"`
	StartTime  time.Time  `json:"startTime"`
	LeaderInfo leaderInfo `json:"leaderInfo"`

	RecvAppendRequests uint64  `json:"recvAppendRequestCnt"`
	RecvPackageRate    float64 `json:"recvPkgRate,omitempty"`
	RecvBandwidthRate  float64 `json:"recvBandwidthRate,omitempty"`
	SendAppendRequests uint64  `json:"sendAppendRequestCnt"`
	SendPackageRate    float64 `json:"sendPkgRate,omitempty"`
	SendBandwidthRate  float64 `json:"sendBandwidthRate,omitempty"`
}

type leaderInfo struct {
	Leader    string    `json:"leader"`
	Uptime    string    `json:"uptime"`
	StartTime time.Time `json:"startTime"`
}

// leaderStats is the answer of /v2/stats/leader. (etcd v2 API, "Leader Statistics")
type leaderStats struct {
	Leader    string                   `json:"leader"`
	Followers map[string]followerStats `json:"followers"`
}

type followerStats struct {
	Latency latencyStats `json:"latency"`
	Counts  countStats   `json:"counts"`
}

// latencyStats are in milliseconds.
type latencyStats struct {
	Current   float64 `json:"current"`
	Average   float64 `json:"average"`
	Deviation float64 `json:"standardDeviation"`
	Minimum   float64 `json:"minimum"`
	Maximum   float64 `json:"maximum"`
}

type countStats struct {
	Fail    uint64 `json:"fail"`
	Success uint64 `json:"success"`
}

// hexID is an id as etcd writes it.
func hexID(id world.MemberID) string { return strconv.FormatUint(uint64(id), 16) }

func (f *Front) statsSelf(w *writer, _ *http.Request) {
	v, err := f.view()
	if err != nil {
		w.unavailable(err)
		return
	}
	lead := f.host.Leadership()
	s := selfStats{
		Name: v.Name, ID: hexID(v.ID), State: raftState(v.Role), StartTime: lead.Started,
		LeaderInfo: leaderInfo{
			Leader: hexID(v.Role.Lead), StartTime: lead.Since, Uptime: time.Since(lead.Since).String(),
		},
	}
	var sent, got Link
	for _, l := range f.peers() {
		sent.Sent, sent.SentBytes = sent.Sent+l.Sent, sent.SentBytes+l.SentBytes
		got.Received, got.ReceivedBytes = got.Received+l.Received, got.ReceivedBytes+l.ReceivedBytes
	}
	s.RecvAppendRequests, s.SendAppendRequests = got.Received, sent.Sent
	recv, send := f.meter.rates.take(time.Now(), got, sent)
	s.RecvPackageRate, s.RecvBandwidthRate = recv.packages, recv.bytes
	s.SendPackageRate, s.SendBandwidthRate = send.packages, send.bytes
	w.json(http.StatusOK, marshal(&s))
}

func raftState(r node.Role) string {
	if r.Leader {
		return "StateLeader"
	}
	return "StateFollower"
}

// peers returns the links to other members, none if nobody tells of them.
func (f *Front) peers() []Link {
	if f.links == nil {
		return nil
	}
	return f.links.Links()
}

func (f *Front) statsLeader(w *writer, _ *http.Request) {
	v, err := f.view()
	switch {
	case err != nil:
		w.unavailable(err)
		return
	case !v.Role.Leader:
		w.message(http.StatusForbidden, "not current leader")
		return
	}
	s := leaderStats{Leader: hexID(v.ID), Followers: make(map[string]followerStats)}
	for _, l := range f.peers() {
		s.Followers[hexID(l.ID)] = followerStats{
			Latency: latencyStats{
				Current: millis(l.Latency.Current), Average: millis(l.Latency.Average),
				Deviation: millis(l.Latency.Deviation), Minimum: millis(l.Latency.Minimum), Maximum: millis(l.Latency.Maximum),
			},
			Counts: countStats{Fail: l.Failed, Success: l.Sent},
		}
	}
	w.json(http.StatusOK, marshal(&s))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (f *Front) statsStore(w *writer, _ *http.Request) {
	var s keys.Stats
	if err := f.host.Look(func(n *node.Node) { s = n.State().Keys().Stats() }); err != nil {
		w.unavailable(err)
		return
	}
	w.json(http.StatusOK, marshal(&s))
}
