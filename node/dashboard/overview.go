package dashboard

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"drydock/node/state"
)

// overview is the first page.
type overview struct {
	Health  health
	Members []memberRow
	Ring    ring
	Charts  []chart
	Facts   []fact
	// Note says what the table can't know, if there is something.
	Note string
	// At is when the member was looked at.
	At time.Time
	// Live is where the page gets its news.
	Live string
}

// fact is a number with its name.
type fact struct{ Name, Value, Help string }

// memberRow is a line of the table of members.
type memberRow struct {
	Name, ID string
	// Self marks the member that shows the page. Href is another's dashboard.
	Self bool
	Href string
	// Role is leader, follower or learner; Class is for its colour.
	Role, Class string
	Peer        []string
	Client      []string
	// Index is the last entry that the member is known to hold, Lag how far
	// that is behind; both are empty where only the leader knows.
	Index, Lag string
	// Link says how this member's connection to it does.
	Link, LinkClass, LinkHelp string
}

func (d *dashboard) overview(w http.ResponseWriter, _ *http.Request) {
	samples, _ := d.feed.all()
	o := d.summarize(samples)
	d.render(w, http.StatusOK, "overview", &frame{Title: "Overview", Place: "Overview", Page: o})
}

func (d *dashboard) summarize(samples []sample) *overview {
	s := &samples[len(samples)-1]
	o := &overview{Health: judge(s), At: s.at.UTC(), Live: Base + "live"}
	if s.view == nil {
		return o
	}
	for _, m := range s.view.Members {
		o.Members = append(o.Members, s.row(m))
	}
	o.Ring = s.ring()
	if lead := s.view.Role.Lead; !s.view.Role.Leader && lead != 0 && len(s.view.Members) > 1 {
		o.Note = fmt.Sprintf("How far the others are is known to the leader: open %s's dashboard.", s.nameOf(lead))
	}
	o.Charts = []chart{
		draw("writes/s", speed(samples, (*sample).writes)),
		draw("reads/s here", speed(samples, (*sample).reads)),
		draw("watches here", gauge(samples, func(s *sample) float64 { return float64(s.view.Watches) })),
	}
	v := s.view
	o.Facts = []fact{
		{"etcd index", count(v.EtcdIndex), "successful writes since the beginning"},
		{"keys", count(uint64(v.Keys)), "keys and directories, hidden ones too"},
		{"applied", count(v.Applied), "the last log entry that this member has carried out"},
		{"committed", count(v.Committed), "the last log entry that a majority is known to hold"},
		{"checkpoint", count(v.Checkpointed), "the log before this entry is no longer needed for a restart"},
		{"revision", count(v.Revision), "commands so far, refused ones too"},
		{"units", count(uint64(v.Fleet.Units)), "units that there are"},
		{"machines", count(uint64(v.Fleet.Machines)), "machines that are known, those that are down too"},
	}
	return o
}

// row is what the table says of a member.
func (s *sample) row(m state.Member) memberRow {
	r := memberRow{
		Name: nameOf(m), ID: memberID(m.ID), Self: m.ID == s.view.ID,
		Role: "follower", Class: "follow", Peer: m.PeerURLs, Client: m.ClientURLs,
	}
	switch {
	case m.ID == s.view.Role.Lead:
		r.Role, r.Class = "leader", "lead"
	case m.Learner:
		r.Role, r.Class = "learner", "learn"
	case s.view.Role.Lead == 0 && r.Self:
		r.Role, r.Class = "leaderless", "look"
	case s.view.Role.Lead == 0:
		r.Role, r.Class = "voter", "follow"
	}
	if r.Self {
		r.Index, r.Lag = count(s.view.Applied), behind(s.view.Committed, s.view.Applied)
		r.Link = "this member"
		return r
	}
	if p, ok := s.progress[m.ID]; ok {
		r.Index, r.Lag = count(p.Match), behind(s.view.Committed, p.Match)
		if p.Snapshot {
			r.Lag = "gets a snapshot"
		}
	}
	r.Href = dashboardOf(m)
	r.Link, r.LinkClass, r.LinkHelp = s.link(m)
	return r
}

// dashboardOf is where another member's own pages are, if it says.
func dashboardOf(m state.Member) string {
	for _, u := range m.ClientURLs {
		if strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
			return strings.TrimSuffix(u, "/") + Base
		}
	}
	return ""
}

// behind says how far an index is behind another.
func behind(lead, index uint64) string {
	if index >= lead {
		return "up to date"
	}
	if lead-index == 1 {
		return "1 entry behind"
	}
	return count(lead-index) + " entries behind"
}

// link says how the connection to another member does.
func (s *sample) link(m state.Member) (text, class, help string) {
	p, leads := s.progress[m.ID]
	l, known := s.links[m.ID]
	switch {
	case known && !l.Up:
		return "down", "bad", l.Failure
	case leads && !p.Active:
		return "silent", "bad", "not heard for some seconds"
	case known && l.Latency > 0:
		return millis(l.Latency), "good", ""
	case known || leads:
		return "up", "good", ""
	}
	return "not known", "", ""
}
