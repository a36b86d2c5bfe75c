package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/keys"
)

// keyPage is the page of a key or directory, or of a place where none is.
type keyPage struct {
	// Path is the key; Parent its directory, empty for the root.
	Path, Parent string
	Crumbs       []crumb
	// Node is nil if there is no such key.
	Node *nodeView
	// Listing is a directory's.
	Listing *listing
	// Done says what the reader has just done; Problem why it was not done.
	Done    string
	Problem *problem
	Edit    *editForm
	New     *newForm
	Delete  *deleteForm
	// News is where changes are told of.
	News string
}

// crumb is a part of the way to a key.
type crumb struct {
	Name, Href string
	Last       bool
}

// nodeView is what there is at a path.
type nodeView struct {
	Dir, Root         bool
	Created, Modified uint64
	Value             value
	// HasTTL says that the node goes by itself in Left seconds, at Until.
	HasTTL bool
	Left   int64
	Until  time.Time
	// API is the same in the API.
	API string
}

// problem is why something was not done, with the next step.
type problem struct {
	Status      int
	Title, Text string
	// Href and Link lead on; empty for the overview.
	Href, Link string
	// Missing says that there is no such key; Login that a password may help.
	Missing, Login bool
}

// keyOf is the key that a request's path names; ok is false if there can't be
// such a key.
func keyOf(r *http.Request) (key string, ok bool) {
	key = "/" + strings.Trim(r.PathValue("path"), "/")
	return key, keys.IsClean(key) && len(key) <= keys.MaxPathBytes
}

func (d *dashboard) noSuchName(w http.ResponseWriter) {
	d.fail(w, http.StatusBadRequest, trouble{
		Title: "There can be no key of this name",
		Text:  fmt.Sprintf("The parts of a key's name are not empty and neither . nor .., and it has at most %d bytes.", keys.MaxPathBytes),
	})
}

// showKey shows a key or directory.
func (d *dashboard) showKey(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(r)
	if !ok {
		d.noSuchName(w)
		return
	}
	p, problem := d.keyPage(r, key, r.URL.Query())
	if p == nil {
		d.refuse(w, problem)
		return
	}
	p.Done = doneTexts[r.URL.Query().Get("done")]
	d.showPage(w, p, problem)
}

// doneTexts are what a page says after a change that led to it.
var doneTexts = map[string]string{
	"saved":   "Saved.",
	"created": "Created.",
	"deleted": "Deleted.",
	"ttl":     "The time to live is changed.",
}

// showPage renders a key's page, with the status of the problem if there is one.
func (d *dashboard) showPage(w http.ResponseWriter, p *keyPage, problem *problem) {
	status := http.StatusOK
	if problem != nil {
		status = problem.Status
		if !problem.Missing {
			p.Problem = problem
		}
		if problem.Login {
			challenge(w)
		}
	}
	d.render(w, status, "keys", &frame{Title: p.Path, Place: "Keys", Page: p})
}

// refuse answers where there is no page to show the problem on.
func (d *dashboard) refuse(w http.ResponseWriter, p *problem) {
	if p.Login {
		challenge(w)
	}
	t := trouble{Title: p.Title, Text: p.Text, Href: p.Href, Link: p.Link}
	if t.Href == "" {
		t.Href, t.Link = Base, "To the overview"
	}
	d.fail(w, p.Status, t)
}

// challenge makes a browser ask for a user's name and password.
func challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="drydock", charset="UTF-8"`)
}

// keyPage reads what there is at key. The page is nil if that could not be
// read; if there is no such key, it is one for making it, and the problem says
// so.
func (d *dashboard) keyPage(r *http.Request, key string, q url.Values) (*keyPage, *problem) {
	p := &keyPage{Path: key, Crumbs: crumbs(key)}
	if key != "/" {
		p.Parent = parentOf(key)
	}
	a, refused := d.do(r, "GET", key, nil)
	if refused != nil && !refused.Missing {
		return nil, refused
	}
	p.News = changesURL(key) + fmt.Sprintf("?since=%d&brief=1", a.Meta.EtcdIndex+1)
	if refused != nil {
		p.New = &newForm{Action: keyURL(p.Parent), Name: lastOf(key), Kind: kindKey}
		return p, refused
	}
	n := a.Event.Node
	left := n.TTL(a.Now.Cluster)
	p.Node = &nodeView{
		Dir: n.Dir, Root: key == "/", Created: n.Created, Modified: n.Modified,
		HasTTL: n.HasTTL, Left: left, Until: time.Unix(0, n.Expiration).UTC(), API: "/v2/keys/" + escapeKey(key),
	}
	if key != "/" {
		p.Delete = &deleteForm{Action: keyURL(key), Index: n.Modified, Dir: n.Dir, Name: key}
	}
	if n.Dir {
		p.Listing = d.list(r, n, a.Now, q)
		p.New = &newForm{Action: keyURL(key), Kind: kindKey}
		if key != "/" {
			p.Edit = &editForm{Action: keyURL(key), Dir: true}
			p.Edit.setTTL(n, left)
		}
		return p, nil
	}
	p.Node.Value = readValue(n.Value)
	p.Edit = &editForm{
		Action: keyURL(key), Index: n.Modified, Form: p.Node.Value.Form, Field: p.Node.Value.Field, Long: p.Node.Value.Long,
	}
	p.Edit.setTTL(n, left)
	return p, nil
}

func (f *editForm) setTTL(n *keys.Node, left int64) {
	if n.HasTTL {
		f.TTL = fmt.Sprint(left)
	}
}

// crumbs is the way to a key from the root.
func crumbs(key string) []crumb {
	way := []crumb{{Name: "keys", Href: keyURL("/")}}
	if key != "/" {
		at := ""
		for name := range strings.SplitSeq(key[1:], "/") {
			at += "/" + name
			way = append(way, crumb{Name: name, Href: keyURL(at)})
		}
	}
	way[len(way)-1].Last = true
	return way
}

func parentOf(key string) string {
	if i := strings.LastIndexByte(key, '/'); i > 0 {
		return key[:i]
	}
	return "/"
}

// goTo leads to the key that a form names.
func (d *dashboard) goTo(w http.ResponseWriter, r *http.Request) {
	key := "/" + strings.Trim(r.FormValue("key"), "/ ")
	if !keys.IsClean(key) || len(key) > keys.MaxPathBytes {
		d.noSuchName(w)
		return
	}
	http.Redirect(w, r, keyURL(key), http.StatusSeeOther)
}

// call makes of method, key and parameters what the API would, and asks the
// guard.
func (d *dashboard) call(r *http.Request, method, key string, params url.Values) (*api.Call, *problem) {
	q := api.Request{Method: method, Target: "/v2/keys/" + escapeKey(key)}
	if method == "GET" || method == "DELETE" {
		q.Target += "?" + params.Encode()
	} else {
		q.ContentType, q.Body = "application/x-www-form-urlencoded", []byte(params.Encode())
	}
	call, refusal := api.Decode(&q)
	if refusal == nil && d.o.Guard != nil {
		if refusal = d.o.Guard.Keys(r, &call); refusal != nil && refusal.Status == http.StatusUnauthorized {
			return nil, &problem{
				Status: http.StatusUnauthorized, Login: true, Title: "This needs a login that may do it",
				Text: fmt.Sprintf("Not every user of this cluster may %s %s. Reload the page to be asked for a name and password.",
					verb(&call), key),
			}
		}
	}
	if refusal != nil {
		return nil, explainResponse(refusal)
	}
	return &call, nil
}

func verb(call *api.Call) string {
	if call.Kind == api.Write {
		return "change"
	}
	return "see"
}

// do carries out a request and explains what stood in its way. The answer is
// not that of a refusal but may be that of an error of the keyspace.
func (d *dashboard) do(r *http.Request, method, key string, params url.Values) (node.Answer, *problem) {
	call, refused := d.call(r, method, key, params)
	if refused != nil {
		return node.Answer{}, refused
	}
	a := d.h.Do(r.Context(), call)
	switch {
	case a.Status == consensus.Done && a.Err == nil:
		return a, nil
	case a.Status == consensus.Done:
		return a, explain(a.Err)
	case call.Kind != api.Write || a.Status == consensus.Refused:
		return a, &problem{
			Status: http.StatusServiceUnavailable, Title: "This member can't do it now",
			Text: fmt.Sprintf("Nothing was changed: %s. The overview says how the cluster does.", a.Reason),
		}
	}
	return a, &problem{
		Status: http.StatusGatewayTimeout, Title: "It is not known whether this was done",
		Text: fmt.Sprintf("The cluster did not answer in time (%s). The change may take effect yet: "+
			"look at the key again before you repeat it.", a.Reason),
	}
}

// explainResponse explains what the API answers without asking the store.
func explainResponse(resp *api.Response) *problem {
	var body struct {
		ErrorCode int    `json:"errorCode"`
		Cause     string `json:"cause"`
	}
	if err := json.Unmarshal(resp.Body, &body); err != nil {
		return &problem{Status: resp.Status, Title: "The request was refused", Text: strings.TrimSpace(string(resp.Body))}
	}
	p := explain(&keys.Error{Code: body.ErrorCode, Cause: body.Cause})
	p.Status = resp.Status
	return p
}

// explain says what a refusal means and what to do.
func explain(err *keys.Error) *problem {
	p := &problem{Status: err.Status(), Title: err.Message(), Text: err.Cause}
	switch err.Code {
	case keys.CodeKeyNotFound:
		p.Missing = true
		p.Title, p.Text = "There is no such key", fmt.Sprintf("%s is not there: it was deleted, has expired, or never was.", err.Cause)
	case keys.CodeNotFile:
		p.Title, p.Text = "This is a directory", "A directory holds no value and is deleted only as one. Reload the page."
	case keys.CodeNotDir:
		p.Title, p.Text = "A key is in the way", fmt.Sprintf("%s is a key with a value, so nothing can be below it.", err.Cause)
		p.Href, p.Link = keyURL(err.Cause), "Open "+err.Cause
	case keys.CodeNodeExist:
		p.Title, p.Text = "It exists already", fmt.Sprintf("Nothing was changed. Open %s to change it, or choose another name.", err.Cause)
	case keys.CodeRootReadOnly:
		p.Title, p.Text = "The root can't be changed", "Make keys below it."
	case keys.CodeDirNotEmpty:
		p.Title, p.Text = "The directory is not empty", "Nothing was deleted. Tick “with everything below it” if that is what you want. "+
			"Hidden keys count, too."
	case keys.CodeTTLNaN:
		p.Title, p.Text = "The time to live is not a number", "Give whole seconds, or leave it empty for a key that stays."
	}
	return p
}
