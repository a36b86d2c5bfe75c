package api

import (
	"errors"
	"net/url"
	"strings"
)

// param is a parameter that the API knows.
type param uint8

// The parameters.
const (
	paramValue param = iota
	paramPrevValue
	paramPrevIndex
	paramPrevExist
	paramWaitIndex
	paramRecursive
	paramSorted
	paramWait
	paramDir
	paramQuorum
	paramStream
	paramNoValue
	paramTTL
	paramRefresh
	numParams
)

var paramNames = [numParams]string{
	"value", "prevValue", "prevIndex", "prevExist", "waitIndex", "recursive", "sorted", "wait", "dir",
	"quorum", "stream", "noValueOnSuccess", "ttl", "refresh",
}

// form is the parameters of a request: of each the first occurrence, the
// body's before the query's.
type form struct {
	values [numParams]string
	given  [numParams]bool
}

func (f *form) has(p param) bool { return f.given[p] }

func (f *form) get(p param) string { return f.values[p] }

const formType = "application/x-www-form-urlencoded"

// What may be wrong with a form, in the words of Go's HTTP server.
var (
	errSemicolon = errors.New("invalid semicolon separator in query")
	errMediaType = errors.New("mime: invalid media parameter")
	errNoMedia   = errors.New("mime: no media type")
	errTooLarge  = errors.New("http: POST too large")
)

// read reads the body of a PUT or POST, if it is a form, then the query.
// Everything is read; the first error counts.
func (f *form) read(r *Request, query string) error {
	var bodyErr error
	if r.Method == "PUT" || r.Method == "POST" {
		bodyErr = f.readBody(r.ContentType, r.Body)
	}
	queryErr := f.add(query)
	if bodyErr != nil {
		return bodyErr
	}
	return queryErr
}

func (f *form) readBody(contentType string, body []byte) error {
	if contentType == "" {
		return nil
	}
	if contentType != formType { // most are nothing but that
		media, err := mediaType(contentType)
		if err != nil {
			return err
		}
		if media != formType {
			return nil
		}
	}
	if len(body) > MaxFormBytes {
		return errTooLarge
	}
	return f.add(string(body))
}

// mediaType is the type of a Content-Type, in lower case, without parameters,
// which must be well formed nevertheless.
func mediaType(s string) (string, error) {
	media, params, _ := strings.Cut(s, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	major, minor, slash := strings.Cut(media, "/")
	if !isToken(major) || (slash && !isToken(minor)) {
		return "", errNoMedia
	}
	for rest := strings.TrimSpace(params); rest != ""; {
		name, after, found := strings.Cut(rest, "=")
		if !found || !isToken(strings.TrimSpace(name)) {
			return "", errMediaType
		}
		var ok bool
		if rest, ok = skipValue(after); !ok {
			return "", errMediaType
		}
	}
	return media, nil
}

// skipValue skips a parameter's value, a token or a quoted string, and the
// semicolon after it.
func skipValue(s string) (rest string, ok bool) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ := strings.Cut(s, ";")
		return strings.TrimSpace(rest), isToken(strings.TrimSpace(value))
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			rest = strings.TrimSpace(s[i+1:])
			if rest == "" {
				return "", true
			}
			rest, ok = strings.CutPrefix(rest, ";")
			return strings.TrimSpace(rest), ok
		}
	}
	return "", false
}

// isToken reports whether s is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// add reads an encoded form. A parameter that is there already stays; unknown
// ones are skipped but must be well formed.
func (f *form) add(encoded string) error {
	var first error
	for encoded != "" {
		var pair string
		pair, encoded, _ = strings.Cut(encoded, "&")
		if err := f.addPair(pair); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (f *form) addPair(pair string) error {
	if strings.Contains(pair, ";") {
		return errSemicolon
	}
	if pair == "" {
		return nil
	}
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err := unescape(rawName)
	if err != nil {
		return err
	}
	value, err := unescape(rawValue)
	if err != nil {
		return err
	}
	for p, known := range paramNames {
		if known == name && !f.given[p] {
			f.values[p], f.given[p] = value, true
		}
	}
	return nil
}

// unescape is url.QueryUnescape, which looks at each byte, also of what has no escapes.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}
