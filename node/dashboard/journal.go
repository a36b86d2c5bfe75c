package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

const (
	// journalLines is how many lines of its journal a unit's page begins with.
	journalLines = 50
	// journalTime bounds how long a page waits for them.
	journalTime = 3 * time.Second
	// journalPause is how long a page that is kept current waits before it asks for a
	// journal again that has ended.
	journalPause = 2 * time.Second
	// maxJournalLine bounds what a page shows of one line, in bytes.
	maxJournalLine = 4096
)

// journalLine is a line that a unit has written.
type journalLine struct {
	Number uint64    `json:"number"`
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
	Text   string    `json:"text"`
}

// tape takes the answer of the fleet API to a request for a journal, line by line.
type tape struct {
	head   http.Header
	status int
	line   func(journalLine) bool
	rest   []byte
}

// Header implements http.ResponseWriter.
func (t *tape) Header() http.Header { return t.head }

// WriteHeader implements http.ResponseWriter.
func (t *tape) WriteHeader(status int) { t.status = status }

// FlushError implements what an http.ResponseController asks for.
func (t *tape) FlushError() error { return nil }

// Write implements io.Writer.
func (t *tape) Write(b []byte) (int, error) {
	t.rest = append(t.rest, b...)
	if t.status != http.StatusOK {
		return len(b), nil // the whole is one error
	}
	for {
		line, rest, found := bytes.Cut(t.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		var l journalLine
		if err := json.Unmarshal(line, &l); err != nil {
			return 0, fmt.Errorf("dashboard: a journal's line: %w", err)
		}
		if len(l.Text) > maxJournalLine {
			l.Text = l.Text[:maxJournalLine] + " …"
		}
		t.rest = rest
		if !t.line(l) {
			return 0, context.Canceled
		}
	}
}

// why says what the API has refused.
func (t *tape) why() string {
	var e fleetapi.Error
	if json.Unmarshal(t.rest, &e) != nil || e.Error.Message == "" {
		return "its machine doesn't answer"
	}
	return e.Error.Message
}

// play has the fleet API tell a unit's journal.
func (d *dashboard) play(ctx context.Context, r *http.Request, name string, query url.Values, line func(journalLine) bool) *tape {
	t := &tape{head: make(http.Header), status: http.StatusOK, line: line}
	in := &http.Request{
		Method: http.MethodGet, Header: make(http.Header), Body: http.NoBody, Host: r.Host,
		URL: &url.URL{Path: fleetapi.Prefix + "/units/" + name + "/journal", RawQuery: query.Encode()},
	}
	// What the reader has shown to be let in here, another node may want to see.
	for _, credentials := range r.Header.Values("Authorization") {
		in.Header.Add("Authorization", credentials)
	}
	in.TLS = r.TLS
	d.o.Journals.ServeHTTP(t, in.WithContext(ctx))
	return t
}

// readJournal puts the end of a unit's journal on its page.
func (d *dashboard) readJournal(r *http.Request, p *unitPage) {
	chosen := r.URL.Query().Get("machine")
	switch {
	case d.o.Journals == nil:
		p.NoJournal = "This node shows no journals."
		return
	case len(p.Places)+len(p.Leaving) == 0 && chosen == "":
		p.NoJournal = "It is on no machine."
		return
	}
	ctx, end := context.WithTimeout(r.Context(), journalTime)
	defer end()
	query := url.Values{"lines": {strconv.Itoa(journalLines)}}
	if chosen != "" {
		query.Set("machine", chosen)
	}
	t := d.play(ctx, r, p.Row.Name, query, func(l journalLine) bool {
		p.Journal = append(p.Journal, l)
		p.Last = strconv.FormatUint(l.Number, 10)
		return true
	})
	if t.status != http.StatusOK {
		p.NoJournal = "There is no journal: " + t.why() + "."
		return
	}
	id := t.head.Get(fleetapi.HeaderMachine)
	p.JournalOf = machineLink{Name: shortID(id), Href: unitsOn(id)}
	for _, at := range p.Places {
		if at.Machine.Href == p.JournalOf.Href {
			p.JournalOf = at.Machine
		}
	}
	p.From = id
}

// news is something for a unit's page.
type news struct {
	event string
	id    uint64
	data  []byte
}

// unitStream keeps a unit's page current, its journal too: a browser has only so many
// connections for all its pages.
func (d *dashboard) unitStream(w http.ResponseWriter, r *http.Request) {
	s, ok := d.openStream(w, r)
	if !ok {
		return
	}
	defer s.close()
	p, problem := d.unitPage(r)
	if problem != nil {
		s.refuse(problem)
		return
	}
	all := make(chan news)
	ctx, end := context.WithCancel(s.ctx)
	tell := func(n news) bool {
		select {
		case all <- n:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var telling sync.WaitGroup
	telling.Go(func() { d.tellUnit(ctx, r, tell) })
	telling.Go(func() { d.tellJournal(ctx, r, p.Row.Name, tell) })
	defer telling.Wait()
	defer end()
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	for {
		alive := true
		select {
		case n := <-all:
			alive = s.send(n.event, n.id, n.data)
		case <-beat.C:
			alive = s.beat()
		case <-ctx.Done():
			return
		case <-d.h.Done():
			return
		}
		if !alive {
			return
		}
	}
}

// tellUnit tells what a unit is, whenever that changes.
func (d *dashboard) tellUnit(ctx context.Context, r *http.Request, tell func(news) bool) {
	var shown []byte
	for {
		revision := d.fleetRevision(ctx)
		p, problem := d.unitPage(r)
		switch {
		case problem != nil && problem.Status == http.StatusNotFound:
			tell(news{event: "over", data: []byte("The unit was destroyed.")})
			return
		case problem == nil:
			b, problem := d.fleetPiece("unit", p)
			if problem == nil && !bytes.Equal(b, shown) {
				shown = b
				if !tell(news{event: "live", data: b}) {
					return
				}
			}
		}
		if !d.waitFleet(ctx, revision) {
			return
		}
	}
}

// tellJournal tells a unit's lines as they come, and goes on at another machine when
// the unit does. The reader has said which line of which machine it has last.
func (d *dashboard) tellJournal(ctx context.Context, r *http.Request, name string, tell func(news) bool) {
	if d.o.Journals == nil {
		return
	}
	q := r.URL.Query()
	chosen, from := q.Get("machine"), q.Get("from")
	after, _ := strconv.ParseUint(q.Get("after"), 10, 64)
	for ctx.Err() == nil {
		at := d.journalPlace(ctx, name, chosen, from)
		if at != "" && at != from {
			from, after = at, 0
			if !tell(news{event: "moved", data: []byte(at)}) {
				return
			}
		}
		if at == "" {
			pause(ctx, journalPause)
			continue
		}
		d.follow(ctx, r, name, chosen, at, &after, tell)
	}
}

// follow tells the lines of a unit from one machine, until that has no more to tell
// or the unit has moved elsewhere.
func (d *dashboard) follow(ctx context.Context, r *http.Request, name, chosen, at string, after *uint64, tell func(news) bool) {
	play, stop := context.WithCancel(ctx)
	var moving sync.WaitGroup
	moving.Go(func() {
		defer stop()
		for play.Err() == nil {
			if !d.waitFleet(play, d.fleetRevision(play)) {
				return
			}
			if d.journalPlace(play, name, chosen, at) != at {
				return
			}
		}
	})
	query := url.Values{
		"follow": {"true"}, "lines": {strconv.Itoa(journalLines)}, "machine": {at}, "after": {strconv.FormatUint(*after, 10)},
	}
	d.play(play, r, name, query, func(l journalLine) bool {
		b, err := piece("unit", "line", l)
		if err != nil {
			d.o.Log.Error("dashboard: cannot render a line", "err", err)
			return false
		}
		*after = l.Number
		return tell(news{event: "line", id: l.Number, data: b})
	})
	// If it ended by itself it has no more to tell now, or couldn't be asked.
	pause(play, journalPause)
	stop()
	moving.Wait()
}

// journalPlace is the machine whose journal of a unit to show: the chosen one; or
// the one that it was shown from, if the unit is there still; or where it is now.
// It is empty if the unit is nowhere.
func (d *dashboard) journalPlace(ctx context.Context, name, chosen, from string) (at string) {
	if chosen != "" {
		return chosen
	}
	d.h.ReadFleet(ctx, true, func(s *fleet.Store) {
		u, _ := s.Unit(name)
		for _, l := range s.Leaving(name) {
			if at == "" || l.Machine == from {
				at = l.Machine
			}
		}
		for i, p := range u.Places {
			if i == 0 || p.Machine == from {
				at = p.Machine
			}
		}
	})
	return at
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
