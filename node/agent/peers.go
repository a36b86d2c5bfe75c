package agent

import (
	"fmt"
	"slices"
	"time"

	"drydock/node/link"
)

const (
	// defaultSilence is how long a member may say nothing before there are terms.
	defaultSilence = 750 * time.Millisecond
	// probeEvery is how often a member is asked again that knows no leader, and how
	// long a redirection in a circle is put off.
	probeEvery = 100 * time.Millisecond
	// maxPause bounds the pause between attempts when no member can be reached.
	maxPause = time.Second
	// maxHops is how many redirections are followed at once.
	maxHops = 3
	// maxPeers bounds the URLs that are remembered.
	maxPeers = 64
)

// peers is which member the agent talks to.
type peers struct {
	urls []string
	// url was dialled last, "" if none was. Since is when it was dialled or last said
	// something.
	url   string
	since time.Duration
	// then is what is dialled at dialAt, "" if nothing is to be.
	then   string
	dialAt time.Duration
	// hops and fails count redirections and failures since somebody answered.
	hops, fails int
}

// set replaces what is known.
func (p *peers) set(urls []string) {
	p.urls = slices.Clone(urls)
	if len(p.urls) > maxPeers {
		p.urls = p.urls[:maxPeers]
	}
}

// next goes on to the next member, with a pause once all have failed.
func (p *peers) next(a *Agent) {
	if len(p.urls) == 0 {
		return
	}
	// Machines begin with different members.
	i := int(spread(a.cfg.Machine.ID)) % len(p.urls)
	if at := slices.Index(p.urls, p.url); at >= 0 {
		i = (at + 1) % len(p.urls)
	}
	var pause time.Duration
	if rounds := p.fails / len(p.urls); rounds > 0 {
		pause = min(maxPause, probeEvery<<min(rounds-1, 10))
	}
	p.fails++
	// A machine that was refused doesn't come back sooner for having lost the
	// connection: another that has its id would lose one by each of its attempts.
	p.plan(a, p.urls[i], max(pause, a.session.until-a.now))
}

// plan has a member dialled after a pause.
func (p *peers) plan(a *Agent, url string, pause time.Duration) {
	p.then, p.dialAt = url, a.now+pause
	if pause == 0 {
		p.dial(a)
	}
}

func (p *peers) dial(a *Agent) {
	p.url, p.then, p.since = p.then, "", a.now
	a.out.Dial = p.url
	a.greet()
}

// lost takes the word that there is no connection.
func (p *peers) lost(a *Agent, url, why string) {
	if url != p.url || p.then != "" {
		return
	}
	if p.fails == 0 {
		a.tell("", fmt.Sprintf("lost %s: %s", url, why))
	}
	p.next(a)
}

// heard takes note that the member answers for the leader.
func (p *peers) heard(a *Agent) { p.since, p.hops, p.fails = a.now, 0, 0 }

// redirect goes where the leader is said to be.
func (p *peers) redirect(a *Agent, r *link.Redirect) {
	if r.Leader == 0 || len(r.URLs) == 0 || slices.Contains(r.URLs, p.url) {
		a.greetBy(a.now + probeEvery)
		return
	}
	url := r.URLs[0]
	if url == p.then {
		return
	}
	if !slices.Contains(p.urls, url) && len(p.urls) < maxPeers {
		p.urls = append(p.urls, url)
	}
	p.hops++
	if p.hops <= maxHops {
		p.plan(a, url, 0)
	} else {
		p.plan(a, url, probeEvery)
	}
}

// silence is how long the member may say nothing.
func (a *Agent) silence() time.Duration {
	if l := a.lease.terms.lease; l > 0 {
		return l / 4
	}
	return defaultSilence
}

// contact dials what is due, and gives up on a member that says nothing.
func (p *peers) contact(a *Agent, awaiting bool) {
	if p.then != "" {
		if a.now >= p.dialAt {
			p.dial(a)
		}
		return
	}
	if !awaiting {
		p.since = a.now
	} else if a.now-p.since >= a.silence() {
		p.next(a)
	}
}
