package authcheck

import "github.com/prometheus/client_golang/prometheus"

var (
	passwordsTotal = prometheus.NewDesc("drydock_auth_passwords_total",
		"Passwords in requests: hashed, found among those that were right before, or turned away because too many waited.", []string{"how"}, nil)
	refusedTotal = prometheus.NewDesc("drydock_auth_refused_total",
		"Requests without the credentials or permission that they need.", nil, nil)
)

// Describe implements prometheus.Collector.
func (g *Guard) Describe(out chan<- *prometheus.Desc) {
	out <- passwordsTotal
	out <- refusedTotal
}

// Collect implements prometheus.Collector.
func (g *Guard) Collect(out chan<- prometheus.Metric) {
	n := g.Counts()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(passwordsTotal, n.Hashes, "hashed")
	count(passwordsTotal, n.Remembered, "remembered")
	count(passwordsTotal, n.TurnedAway, "turned away")
	count(refusedTotal, n.Refused)
}
