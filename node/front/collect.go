package front

import (
	"github.com/prometheus/client_golang/prometheus"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
)

// collector asks the node for its figures at each scrape. Its first metrics have
// etcd's names, by which dashboards and alerts know them.
type collector struct{ f *Front }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector. It names none, so that the registry
// takes what comes.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// sample is one figure.
type sample struct {
	name, help string
	kind       prometheus.ValueType
	value      float64
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	var v node.View
	var others []consensus.Progress
	var s keys.Stats
	h := c.f.host
	err := h.Look(func(n *node.Node) { v, others, s = n.View(), n.Progress(), n.State().Keys().Stats() })
	if err != nil {
		return // the node has stopped: no figures are better than old ones
	}
	lead := h.Leadership()
	inner, outer := h.QueueDepths()
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	for _, x := range []sample{
		{"etcd_server_has_leader", "Whether the member knows a leader.", gauge, truth(v.Role.Lead != 0)},
		{"etcd_server_is_leader", "Whether the member leads.", gauge, truth(v.Role.Leader)},
		{"etcd_server_leader_changes_seen_total", "Changes of the leader that were seen.", counter, float64(lead.Changes)},
		{"etcd_server_proposals_committed_total", "The highest index that a majority holds.", gauge, float64(v.Committed)},
		{"etcd_server_proposals_applied_total", "The highest index that is applied.", gauge, float64(v.Applied)},
		{"etcd_server_proposals_pending", "Requests that are being carried out.", gauge, float64(c.f.inFlight.Load())},
		{"etcd_debugging_store_expires_total", "Keys that expired.", counter, float64(s.ExpireCount)},
		{"etcd_debugging_store_watchers", "Watches that are open.", gauge, float64(s.Watchers)},
		{"drydock_node_term", "The term of consensus.", gauge, float64(v.Role.Term)},
		{"drydock_node_revision", "The commands that were applied.", counter, float64(v.Revision)},
		{"drydock_node_etcd_index", "The index of the keyspace.", counter, float64(v.EtcdIndex)},
		{"drydock_node_checkpoint_index", "The index of the last durable checkpoint.", gauge, float64(v.Checkpointed)},
		{"drydock_node_members", "Members of the cluster.", gauge, float64(len(v.Members))},
		{"drydock_host_queue_cluster", "Inputs of the cluster's own that wait.", gauge, float64(inner)},
		{"drydock_host_queue_clients", "Inputs of clients that wait.", gauge, float64(outer)},
		{"drydock_host_frames_dropped_total", "Frames that came to a full queue.", counter, float64(h.DroppedFrames())},
		{"drydock_http_body_bytes", "Bytes of the bodies of requests at work.", gauge, float64(c.f.bodies.Load())},
	} {
		out <- prometheus.MustNewConstMetric(desc(x.name, x.help), x.kind, x.value)
	}
	c.durations(out, "etcd_disk_wal_fsync_duration_seconds", "How long syncs of the log took.", h.LogSyncs())
	c.durations(out, "drydock_host_step_seconds", "How long the node's steps took.", h.Steps())
	c.operations(out, &s)
	c.peers(out, others)
	collectFleet(out, &v.Fleet)
}

// collectFleet tells of units and machines. What the leader counts is of its own
// life: others have zeros.
func collectFleet(out chan<- prometheus.Metric, v *node.FleetView) {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	for _, x := range []sample{
		{"drydock_fleet_leads", "Whether the member governs the machines.", gauge, truth(v.Leads)},
		{"drydock_fleet_units", "Units that there are.", gauge, float64(v.Units)},
		{"drydock_fleet_machines", "Machines that are known, those that are down too.", gauge, float64(v.Machines)},
		{"drydock_fleet_machines_up", "Machines that have a session with this member.", gauge, float64(v.Counters.Machines)},
		{"drydock_fleet_states", "States of units on machines.", gauge, float64(v.States)},
		{"drydock_fleet_frames_total", "Frames that came from machines.", counter, float64(v.Counters.Frames)},
		{"drydock_fleet_frames_bad_total", "Frames of machines that couldn't be read.", counter, float64(v.Bad + v.Counters.Refused)},
		{"drydock_fleet_beats_total", "Beats of machines.", counter, float64(v.Counters.Beats)},
		{"drydock_fleet_acks_total", "Beats that were acknowledged.", counter, float64(v.Counters.Acks)},
		{"drydock_fleet_sessions_opened_total", "Sessions of machines that were begun.", counter, float64(v.Counters.Opened)},
		{"drydock_fleet_sessions_closed_total", "Sessions of machines that were ended.", counter, float64(v.Counters.Closed)},
		{"drydock_fleet_reports_total", "Reports of machines.", counter, float64(v.Counters.Reports)},
		{"drydock_fleet_moves_total", "Moves of units that were proposed.", counter, float64(v.Counters.Moves)},
		{"drydock_fleet_moves_refused_total", "Moves that had no effect, since the state had gone on.", counter, float64(v.Counters.RefusedMoves)},
		{"drydock_fleet_orders_total", "Orders that were sent to machines.", counter, float64(v.Counters.Pushes)},
		{"drydock_fleet_proposals_waiting", "Changes that are proposed and not decided.", gauge, float64(v.Counters.Waiting)},
	} {
		out <- prometheus.MustNewConstMetric(desc(x.name, x.help), x.kind, x.value)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) durations(out chan<- prometheus.Metric, name, help string, d host.Durations) {
	upto := make(map[float64]uint64, len(d.Upper))
	var count uint64
	for i, n := range d.Counts {
		count += n
		if i < len(d.Upper) {
			upto[d.Upper[i].Seconds()] = count
		}
	}
	out <- prometheus.MustNewConstHistogram(desc(name, help), count, d.Sum.Seconds(), upto)
}

// operations counts what was done to the keyspace since the member started.
func (c *collector) operations(out chan<- prometheus.Metric, s *keys.Stats) {
	d := desc("drydock_keys_operations_total", "Operations on the keyspace.", "operation", "result")
	for _, x := range []struct {
		name     string
		ok, fail uint64
	}{
		{"get", s.GetsSuccess, s.GetsFail},
		{"set", s.SetsSuccess, s.SetsFail},
		{"create", s.CreateSuccess, s.CreateFail},
		{"update", s.UpdateSuccess, s.UpdateFail},
		{"delete", s.DeleteSuccess, s.DeleteFail},
		{"compareAndSwap", s.CompareAndSwapSuccess, s.CompareAndSwapFail},
		{"compareAndDelete", s.CompareAndDeleteSuccess, s.CompareAndDeleteFail},
	} {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(x.ok), x.name, "success")
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(x.fail), x.name, "fail")
	}
}

// peers tells of the other members: of their links, and, if this one leads, how
// far they are.
func (c *collector) peers(out chan<- prometheus.Metric, others []consensus.Progress) {
	for _, l := range c.f.peers() {
		id := hexID(l.ID)
		const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
		for _, x := range []sample{
			{"etcd_network_peer_sent_bytes_total", "Bytes sent to the member.", counter, float64(l.SentBytes)},
			{"etcd_network_peer_sent_failures_total", "Frames to the member that were dropped.", counter, float64(l.Failed)},
			{"etcd_network_active_peers", "Whether the member is connected.", gauge, truth(l.Connected)},
			{"drydock_peer_round_trip_seconds", "The latest round trip.", gauge, l.Latency.Current.Seconds()},
		} {
			out <- prometheus.MustNewConstMetric(desc(x.name, x.help, "To"), x.kind, x.value, id)
		}
		got := desc("etcd_network_peer_received_bytes_total", "Bytes received from the member.", "From")
		out <- prometheus.MustNewConstMetric(got, prometheus.CounterValue, float64(l.ReceivedBytes), id)
	}
	match := desc("drydock_peer_match_index", "The highest index that the member is known to hold.", "To")
	for _, p := range others {
		out <- prometheus.MustNewConstMetric(match, prometheus.GaugeValue, float64(p.Match), hexID(p.ID))
	}
}
