package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"drydock/node/keys"
)

// maxForm bounds a change: a value as digits, and each of them escaped.
const maxForm = 4 << 20

// The kinds of what newForm makes.
const (
	kindKey     = "key"
	kindDir     = "dir"
	kindInOrder = "inorder"
)

// editForm changes a key's value and time to live, or a directory's time to
// live.
type editForm struct {
	Action string
	Dir    bool
	// Index is that of the version that is edited.
	Index uint64
	// Form is the way in which Field carries the value.
	Form, Field string
	// TTL is in seconds; empty for none.
	TTL string
	// Long says that the value is too long for the field.
	Long bool
	// Over says that saving replaces a version which was not the one edited.
	Over bool
}

// newForm makes a key or directory below one.
type newForm struct {
	Action, Name, TTL, Kind string
	// Form is the way in which Field carries the value; empty for text.
	Form, Field string
}

// deleteForm deletes.
type deleteForm struct {
	Action, Name string
	Index        uint64
	Dir          bool
}

// change is what a form asks for: a request to the keys API.
type change struct {
	method, key string
	params      url.Values
	// then is where to go when it is done; an in-order key's name is known only
	// then. said is the key of doneTexts.
	then, said string
}

// readChange reads the form of a page about key.
func readChange(key string, f url.Values) (*change, *problem) {
	switch f.Get("op") {
	case "save":
		return readSave(key, f)
	case "ttl":
		return readTTL(key, f)
	case "create":
		return readCreate(key, f)
	case "delete":
		return readDelete(key, f)
	}
	return nil, badForm("It doesn't say what to do. Reload the page.")
}

func badForm(text string) *problem {
	return &problem{Status: http.StatusBadRequest, Title: "The form can't be used", Text: text}
}

func readSave(key string, f url.Values) (*change, *problem) {
	index, refused := readIndex(f)
	if refused != nil {
		return nil, refused
	}
	v, err := fieldValue(f.Get("value"), f.Get("form"))
	if err != nil {
		return nil, badForm(fmt.Sprintf("The value is %v. Nothing was changed.", err))
	}
	c := &change{method: "PUT", key: key, then: keyURL(key), said: "saved", params: url.Values{
		"value": {v}, "prevExist": {"true"}, "prevIndex": {index},
	}}
	return c.withTTL(f)
}

// readTTL renews a directory's time to live. It is a refresh, which keeps the
// value if what is there is no directory any more.
func readTTL(key string, f url.Values) (*change, *problem) {
	if strings.TrimSpace(f.Get("ttl")) == "" {
		return nil, badForm("Give the time to live in seconds.")
	}
	c := &change{method: "PUT", key: key, then: keyURL(key), said: "ttl", params: url.Values{
		"dir": {"true"}, "prevExist": {"true"}, "refresh": {"true"},
	}}
	return c.withTTL(f)
}

func readCreate(dir string, f url.Values) (*change, *problem) {
	c := &change{method: "PUT", params: url.Values{}, said: "created"}
	name := strings.Trim(f.Get("name"), "/")
	c.key = strings.TrimSuffix(dir, "/") + "/" + name
	v, err := fieldValue(f.Get("value"), f.Get("form"))
	if err != nil {
		return nil, badForm(fmt.Sprintf("The value is %v. Nothing was changed.", err))
	}
	switch f.Get("kind") {
	case kindInOrder:
		c.method, c.key = "POST", dir
		c.params.Set("value", v)
		return c.withTTL(f)
	case kindDir:
		c.params.Set("dir", "true")
	case kindKey:
		c.params.Set("value", v)
	default:
		return nil, badForm("It doesn't say what to make. Reload the page.")
	}
	switch {
	case name == "":
		return nil, badForm("Give it a name, or choose a name by number.")
	case !keys.IsClean(c.key):
		return nil, badForm("The parts of a name can't be empty, . or .. .")
	}
	c.params.Set("prevExist", "false")
	c.then = keyURL(c.key)
	return c.withTTL(f)
}

func readDelete(key string, f url.Values) (*change, *problem) {
	c := &change{method: "DELETE", key: key, params: url.Values{}, then: keyURL(parentOf(key)), said: "deleted"}
	if f.Get("dir") == "true" {
		c.params.Set("dir", "true")
		if f.Get("recursive") == "true" {
			c.params.Set("recursive", "true")
		}
		return c, nil
	}
	index, refused := readIndex(f)
	c.params.Set("prevIndex", index)
	return c, refused
}

// withTTL adds the time to live; what is wrong with it is the API's to say.
func (c *change) withTTL(f url.Values) (*change, *problem) {
	if ttl := strings.TrimSpace(f.Get("ttl")); ttl != "" {
		c.params.Set("ttl", ttl)
	}
	return c, nil
}

// readIndex reads the index of what the reader was shown. Without one a change
// could overwrite another's.
func readIndex(f url.Values) (string, *problem) {
	n, err := strconv.ParseUint(f.Get("index"), 10, 64)
	if err != nil || n == 0 {
		return "", badForm("It doesn't say which version it is about. Reload the page.")
	}
	return strconv.FormatUint(n, 10), nil
}
