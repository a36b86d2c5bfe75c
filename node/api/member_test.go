package api_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"drydock/node/api"
	"drydock/node/keys"
)

const testCluster = 0xcdf818194e3a8c32

// exchange is a request's answer, as far as it has come.
type exchange struct {
	resp api.Response
	body []byte
	// read is how much of the body the client has looked at.
	read    int
	ended   bool
	stream  bool
	watcher keys.WatcherID
	at      time.Time
}

// member is a cluster of one, in virtual time.
type member struct {
	store *keys.Store
	now   keys.Stamp
	raft  uint64
	open  []*exchange
}

func newMember() *member {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return &member{store: keys.New(), now: keys.Stamp{Cluster: time.Hour, Wall: start.UnixNano()}, raft: 4}
}

func (m *member) meta() api.Meta {
	return api.Meta{
		ClusterID: testCluster, RaftIndex: m.raft, RaftTerm: 2, EtcdIndex: m.store.Index(), Revision: m.raft,
	}
}

// advance lets time pass. What is due expires at each half second.
func (m *member) advance(d time.Duration) {
	const tick = 500 * time.Millisecond
	for end := m.now.Cluster + d; m.now.Cluster < end; {
		next := min(m.now.Cluster-m.now.Cluster%tick+tick, end)
		m.now.Wall += int64(next - m.now.Cluster)
		m.now.Cluster = next
		if due, ok := m.store.NextExpiry(); ok && next%tick == 0 && due <= next {
			m.raft++
			m.store.Apply(&keys.Command{Kind: keys.Expire}, m.now)
			m.deliver()
		}
	}
}

func (m *member) wall() time.Time { return time.Unix(0, m.now.Wall).UTC() }

func (m *member) do(r *api.Request) *exchange {
	x := &exchange{at: m.wall(), ended: true}
	if r.Method == "GET" && r.Target == "/v2/stats/store" {
		x.resp, x.body = storeStats(m.store.Stats())
		return x
	}
	call, answer := api.Decode(r)
	if answer != nil {
		x.resp, x.body = *answer, answer.Body
		return x
	}
	switch call.Kind {
	case api.Write:
		m.raft++
		// Through the encoding, as it travels in the log.
		cmd, err := keys.DecodeCommand(call.Write.AppendBinary(nil))
		if err != nil {
			panic(err)
		}
		ev, refusal := m.store.Apply(&cmd, m.now)
		x.resp = api.Encode(&call, ev, refusal, m.meta(), m.now)
		m.deliver()
	case api.Watch:
		m.watch(&call, x)
	default:
		ev, refusal := m.store.Get(call.Path, call.Recursive, call.Sorted, m.now)
		x.resp = api.Encode(&call, ev, refusal, m.meta(), m.now)
	}
	x.body = append(x.body, x.resp.Body...)
	return x
}

func (m *member) watch(call *api.Call, x *exchange) {
	id, past, refusal := m.store.Watch(call.Path, call.Recursive, call.Stream, call.Since)
	if refusal != nil {
		x.resp = api.Encode(call, nil, refusal, m.meta(), m.now)
		return
	}
	x.resp = api.EncodeWatchHead(call, m.meta())
	for _, ev := range past {
		x.body = append(x.body, api.EncodeWatchEvent(ev)...)
	}
	x.watcher, x.stream, x.ended = id, call.Stream, id == 0
	if !x.ended {
		m.open = append(m.open, x)
	}
}

func (m *member) deliver() {
	for _, d := range m.store.TakeDeliveries() {
		for _, x := range m.open {
			if x.watcher == d.Watcher && !x.ended {
				x.body = append(x.body, api.EncodeWatchEvent(d.Event)...)
				x.at, x.ended = m.wall(), !x.stream
			}
		}
	}
}

func (m *member) drop(x *exchange) {
	m.store.Cancel(x.watcher)
	x.ended = true
}

// restart brings the store through its records.
func (m *member) restart() error {
	records := m.store.Records()
	s, err := keys.Load(func() (keys.Record, bool, error) {
		if len(records) == 0 {
			return keys.Record{}, false, nil
		}
		r := records[0]
		records = records[1:]
		return r, true, nil
	})
	m.store, m.open = s, nil
	return err
}

func storeStats(s keys.Stats) (api.Response, []byte) {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return api.Response{Status: 200, Headers: []api.Header{{Name: "Content-Type", Value: "application/json"}}}, body
}

// splitJSON is the events of a body, which are its lines.
func splitJSON(b []byte) [][]byte { return slices.Collect(bytes.Lines(b)) }
