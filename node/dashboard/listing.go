package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drydock/node"
	"drydock/node/keys"
)

const (
	// pageRows is how many names a page lists.
	pageRows = 200
	// maxHidden bounds the keys that are gone through for hidden names: that is
	// done on the member's own thread.
	maxHidden = 20000
)

// listing is a directory's page of names.
type listing struct {
	Rows []listRow
	// Total is how many names there are, Matching how many of them the query
	// lets through; From and To are the places of the rows among these.
	Total, Matching, From, To int
	Query                     string
	// Prev and Next are other pages, if there are any.
	Prev, Next string
	// Hidden says that hidden names are shown; Toggle leads to the other way,
	// HiddenNote says why they could not be.
	Hidden             bool
	Toggle, HiddenNote string
	// Action is where the query goes.
	Action string
}

// listRow is a name in a directory.
type listRow struct {
	Name, Href string
	Dir        bool
	Glimpse    string
	HasTTL     bool
	Left       int64
	Modified   uint64
}

// list makes the page of a directory that q asks for.
func (d *dashboard) list(r *http.Request, dir *keys.Node, now keys.Stamp, q url.Values) *listing {
	l := &listing{Query: q.Get("q"), Hidden: q.Get("hidden") == "1", Action: keyURL(dir.Key)}
	nodes := dir.Nodes
	if l.Hidden {
		hidden, err := d.hidden(r, dir.Key)
		if err != nil {
			l.HiddenNote = err.Error()
		}
		nodes = append(hidden, nodes...)
	}
	l.Total = len(nodes)
	if l.Query != "" {
		want := strings.ToLower(l.Query)
		nodes = slices.Clone(nodes)
		nodes = slices.DeleteFunc(nodes, func(n *keys.Node) bool {
			return !strings.Contains(strings.ToLower(lastOf(n.Key)), want)
		})
	}
	l.Matching = len(nodes)
	page, _ := strconv.Atoi(q.Get("page"))
	page = min(max(page, 1), max((len(nodes)+pageRows-1)/pageRows, 1))
	l.From = (page - 1) * pageRows
	l.To = min(l.From+pageRows, len(nodes))
	for _, n := range nodes[l.From:l.To] {
		l.Rows = append(l.Rows, row(n, now))
	}
	l.link(dir.Key, page)
	return l
}

// link leads to the pages beside this one.
func (l *listing) link(dir string, page int) {
	to := func(page int, hidden bool) string {
		q := url.Values{}
		if l.Query != "" {
			q.Set("q", l.Query)
		}
		if hidden {
			q.Set("hidden", "1")
		}
		if page > 1 {
			q.Set("page", strconv.Itoa(page))
		}
		if len(q) == 0 {
			return keyURL(dir)
		}
		return keyURL(dir) + "?" + q.Encode()
	}
	l.Toggle = to(1, !l.Hidden)
	if page > 1 {
		l.Prev = to(page-1, l.Hidden)
	}
	if l.To < l.Matching {
		l.Next = to(page+1, l.Hidden)
	}
	if l.Matching > 0 {
		l.From++ // people count from one
	}
}

func row(n *keys.Node, now keys.Stamp) listRow {
	r := listRow{
		Name: lastOf(n.Key), Href: keyURL(n.Key), Dir: n.Dir,
		HasTTL: n.HasTTL, Left: n.TTL(now.Cluster), Modified: n.Modified,
	}
	if !n.Dir {
		r.Glimpse = glimpse(n.Value)
	}
	return r
}

// lastOf is the last part of a key.
func lastOf(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// errManyKeys says why hidden names aren't shown.
var errManyKeys = errors.New("there are too many keys to look for hidden names among them; " +
	"open a hidden key by its name instead")

// hidden reads the hidden nodes of a directory that the reader may see. The API
// has no way to list them.
func (d *dashboard) hidden(r *http.Request, dir string) ([]*keys.Node, error) {
	prefix := strings.TrimSuffix(dir, "/") + "/_"
	var names []string
	many := false
	err := d.h.Look(func(n *node.Node) {
		store := n.State().Keys()
		if many = store.Len() > maxHidden; many {
			return
		}
		for _, rec := range store.Records() {
			name, below := strings.CutPrefix(string(rec.Key), prefix)
			if rec.Bucket == keys.BucketNodes && below && !strings.Contains(name, "/") {
				names = append(names, prefix+name)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("hidden names can't be shown now: %w", err)
	}
	if many {
		return nil, errManyKeys
	}
	var nodes []*keys.Node
	for _, name := range names[:min(len(names), pageRows)] {
		if a, refused := d.do(r, "GET", name, nil); refused == nil {
			n := *a.Event.Node
			n.Nodes = nil
			nodes = append(nodes, &n)
		}
	}
	return nodes, nil
}
