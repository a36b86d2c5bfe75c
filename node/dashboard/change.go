package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drydock/node"
	"drydock/node/host"
	"drydock/node/keys"
)

const (
	// maxRecent is how many past changes a page lists, maxBack how many indexes
	// it looks back: a little less than the history holds, so that what goes on
	// meanwhile doesn't push it out.
	maxRecent = 100
	maxBack   = 950
)

// watchPage lists the changes of a key and of all below it.
type watchPage struct {
	Path   string
	Href   string
	Crumbs []crumb
	// Changes are the recent ones, the newest first. From is the index from
	// which on all are there.
	Changes []changeRow
	From    uint64
	// News is where the next ones are told of.
	News string
}

// changeRow is one change.
type changeRow struct {
	Index      uint64
	Action     string
	Key, Href  string
	Dir, Gone  bool
	Value, Was string
	// HadValue says that there was a value before.
	HadValue bool
}

func readEvent(ev *keys.Event) changeRow {
	c := changeRow{
		Index: ev.EtcdIndex, Action: string(ev.Action), Key: ev.Node.Key, Href: keyURL(ev.Node.Key),
		Dir: ev.Node.Dir, Gone: ev.Action.Removes(),
	}
	if !c.Gone && !c.Dir {
		c.Value = glimpse(ev.Node.Value)
	}
	if p := ev.PrevNode; p != nil && !p.Dir {
		c.HadValue, c.Was = true, glimpse(p.Value)
	}
	return c
}

// showWatch shows the recent changes of a key, and is kept current.
func (d *dashboard) showWatch(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(r)
	if !ok {
		d.noSuchName(w)
		return
	}
	p := &watchPage{Path: key, Href: keyURL(key), Crumbs: crumbs(key)}
	events, next, refused := d.recent(r, p)
	if refused != nil {
		d.refuse(w, refused)
		return
	}
	for _, ev := range events[max(0, len(events)-maxRecent):] {
		p.Changes = append(p.Changes, readEvent(ev))
	}
	if len(events) > maxRecent {
		p.From = p.Changes[0].Index
	}
	slices.Reverse(p.Changes)
	p.News = changesURL(key) + fmt.Sprintf("?since=%d", next)
	d.render(w, http.StatusOK, "watch", &frame{Title: "Changes of " + key, Place: "Keys", Page: p})
}

// watch begins a watch of key and what is below it, from index since on.
func (d *dashboard) watch(ctx context.Context, r *http.Request, key string, since uint64) (*host.Watch, *problem) {
	call, refused := d.call(r, "GET", key, url.Values{
		"wait": {"true"}, "stream": {"true"}, "recursive": {"true"}, "waitIndex": {strconv.FormatUint(since, 10)},
	})
	if refused != nil {
		return nil, refused
	}
	watch, err := d.h.Watch(ctx, call)
	if err != nil {
		return nil, &problem{
			Status: http.StatusServiceUnavailable, Title: "This member can't do it now",
			Text: fmt.Sprintf("Changes can't be watched: %v.", err),
		}
	}
	return watch, nil
}

// recent returns the changes of the page's key, and of what is below it, that
// the history holds, and the index that comes next. It sets From.
func (d *dashboard) recent(r *http.Request, p *watchPage) ([]*keys.Event, uint64, *problem) {
	index := uint64(0)
	if err := d.h.Look(func(n *node.Node) { index = n.View().EtcdIndex }); err != nil {
		return nil, 0, unwatched(err)
	}
	// Where much is written the history moves on while it is asked for.
	for range 3 {
		p.From = 1
		if index > maxBack {
			p.From = index - maxBack
		}
		events, last, cleared, err := d.since(r, p.Path, p.From)
		if err != nil || !cleared {
			return events, last + 1, err
		}
		index = last
	}
	p.From = index + 1
	return nil, p.From, nil
}

// since returns what the history holds from an index on, and the last index; or
// says that it doesn't go back so far.
func (d *dashboard) since(r *http.Request, key string, from uint64) (
	events []*keys.Event, last uint64, cleared bool, refused *problem,
) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watch, refused := d.watch(ctx, r, key, from)
	if refused != nil {
		return nil, 0, false, refused
	}
	defer watch.Close()
	head, err := watch.Next(ctx)
	if err != nil {
		return nil, 0, false, unwatched(err)
	}
	if head.Err != nil {
		return nil, head.Meta.EtcdIndex, true, nil
	}
	// All that the history holds is queued in the step that gave the head. A
	// look comes between two steps: after it nothing more is to be waited for.
	if err := d.h.Look(func(*node.Node) {}); err != nil {
		return nil, 0, false, unwatched(err)
	}
	cancel()
	for {
		news, err := watch.Next(ctx)
		if err != nil {
			return events, head.Meta.EtcdIndex, false, nil
		}
		if news.Event != nil && news.Past {
			events = append(events, news.Event)
		}
	}
}

// unwatched explains why a watch did not begin, or ended.
func unwatched(err error) *problem {
	p := &problem{Status: http.StatusServiceUnavailable, Title: "Changes can't be watched now"}
	var refusal *host.Refusal
	switch {
	case errors.As(err, &refusal):
		p.Text = fmt.Sprintf("This member refused: %s.", refusal.Answer.Reason)
	case errors.Is(err, host.ErrLagging):
		p.Text = "More has happened than the page could take in. Reload it."
	default:
		p.Text = fmt.Sprintf("This member can't say what changes: %v.", err)
	}
	return p
}

// changeStream tells of a key's changes as they happen.
func (d *dashboard) changeStream(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(r)
	if !ok {
		d.noSuchName(w)
		return
	}
	s, ok := d.openStream(w, r)
	if !ok {
		return
	}
	defer s.close()
	since, _ := strconv.ParseUint(r.FormValue("since"), 10, 64)
	if last, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		since = last + 1
	}
	watch, refused := d.watch(s.ctx, r, key, since)
	if refused != nil {
		s.refuse(refused)
		return
	}
	defer watch.Close()
	t := teller{s: s, key: key, brief: r.FormValue("brief") == "1"}
	if err := t.tell(watch); err != nil && s.ctx.Err() == nil {
		s.send("over", 0, []byte(unwatched(err).Text))
	}
}

// teller tells a page of what a watch sees.
type teller struct {
	s   *stream
	key string
	// brief leaves out what a page about the key doesn't show, and of the rest
	// all but that it happened.
	brief bool
	// told is the index of the last change that was told.
	told uint64
}

// tell goes on until the reader is gone, which is no error, or the watch is.
func (t *teller) tell(watch *host.Watch) error {
	for {
		ctx, cancel := context.WithTimeout(t.s.ctx, pulse)
		news, err := watch.Next(ctx)
		cancel()
		switch {
		case t.s.ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			if !t.s.beat() {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		if !t.news(&news) {
			return nil
		}
	}
}

// news sends one piece of news and says whether to go on.
func (t *teller) news(news *node.WatchNews) bool {
	switch {
	case news.Err != nil:
		// The page is so old that there is no telling what it has missed.
		t.s.send("over", 0, []byte(news.Err.Message()+". Reload the page."))
		return false
	case news.Head:
		return t.s.send("begin", 0, nil)
	case news.Event.EtcdIndex == t.told:
		return true // a stream gets a removal of the very key that it watches twice
	case t.brief && !shows(t.key, news.Event.Node.Key):
		return true
	}
	t.told = news.Event.EtcdIndex
	if t.brief {
		return t.s.send("change", t.told, nil)
	}
	row := readEvent(news.Event)
	b, err := piece("watch", "change", row)
	if err != nil {
		t.s.d.o.Log.Error("dashboard: cannot render a change", "err", err)
		return false
	}
	return t.s.send("change", row.Index, b)
}

// shows says whether the page of a key shows what a change of another alters: it
// is the key itself, a child, or a directory above it.
func shows(page, changed string) bool {
	return changed == page || parentOf(changed) == page || strings.HasPrefix(page, changed+"/")
}
