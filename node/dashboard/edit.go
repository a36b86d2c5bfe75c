package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"drydock/node/keys"
)

// changeKey carries out a form and leads to a page that shows what came of it,
// or shows the form again with what stood in the way and all that was typed.
func (d *dashboard) changeKey(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(r)
	if !ok {
		d.noSuchName(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		d.badBody(w, err)
		return
	}
	c, refused := readChange(key, r.PostForm)
	if refused != nil {
		d.showAgain(w, r, key, refused)
		return
	}
	a, refused := d.do(r, c.method, c.key, c.params)
	if refused != nil {
		if a.Err != nil && a.Err.Code == keys.CodeCompareFailed {
			refused = lostRace(key, refused.Status, r.PostForm.Get("op"))
		}
		d.showAgain(w, r, key, refused)
		return
	}
	if c.then == "" {
		c.then = keyURL(a.Event.Node.Key)
	}
	http.Redirect(w, r, c.then+"?done="+c.said, http.StatusSeeOther)
}

// lostRace says that what was to be changed is not what the reader was shown.
func lostRace(key string, status int, op string) *problem {
	p := &problem{Status: status, Title: "Somebody else was faster", Text: key + " has changed since you opened it. "}
	if op == "delete" {
		p.Text += "Nothing was deleted: here is what it is now."
	} else {
		p.Text += "Nothing was overwritten: here is what it is now, and what you typed."
	}
	return p
}

func (d *dashboard) badBody(w http.ResponseWriter, err error) {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		d.fail(w, http.StatusRequestEntityTooLarge, trouble{
			Title: "This is too long for the dashboard",
			Text:  "Nothing was changed. Use the API or etcdctl for values of this size.",
		})
		return
	}
	d.fail(w, http.StatusBadRequest, trouble{
		Title: "The form can't be read", Text: "Nothing was changed. Go back and send it again.",
	})
}

// showAgain shows the page as it is now, with what was typed.
func (d *dashboard) showAgain(w http.ResponseWriter, r *http.Request, key string, refused *problem) {
	p, gone := d.keyPage(r, key, url.Values{})
	if p == nil {
		// Whoever may change a key need not be allowed to see it, and after a
		// failure there may be nobody who can answer.
		d.refuse(w, refused)
		return
	}
	refused.Missing = false
	f := r.PostForm
	switch f.Get("op") {
	case "save":
		p.keepEdit(f, gone)
	case "create":
		p.New = &newForm{
			Action: keyURL(key), Name: f.Get("name"), TTL: f.Get("ttl"), Kind: f.Get("kind"),
			Form: f.Get("form"), Field: lines(f.Get("value")),
		}
	case "ttl":
		if p.Edit != nil {
			p.Edit.TTL = f.Get("ttl")
		}
	}
	d.showPage(w, p, refused)
}

// keepEdit puts what was typed back into the field: of the key if it is still
// there, or else of one to be made.
func (p *keyPage) keepEdit(f url.Values, gone *problem) {
	if gone != nil {
		p.New.Form, p.New.Field, p.New.TTL = f.Get("form"), lines(f.Get("value")), f.Get("ttl")
		return
	}
	if p.Edit == nil || p.Node.Dir {
		return
	}
	index, _ := strconv.ParseUint(f.Get("index"), 10, 64)
	p.Edit.Over = index != p.Edit.Index
	p.Edit.Field, p.Edit.Form, p.Edit.TTL, p.Edit.Long = lines(f.Get("value")), f.Get("form"), f.Get("ttl"), false
}
