package api

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"drydock/node/keys"
)

// prefix is where the keyspace is in the server's paths.
const prefix = "/v2/keys"

// Decode reads a request. It returns the call to carry out; or a Response,
// which is the whole answer, and no call.
func Decode(r *Request) (Call, *Response) {
	if r.Method == "OPTIONS" {
		return Call{}, &Response{Status: 200, Headers: corsHeaders(0)}
	}
	rawPath, query, _ := strings.Cut(r.Target, "?")
	full, err := url.PathUnescape(rawPath)
	if err != nil || !strings.HasPrefix(full, "/") || hasControl(r.Target) {
		return Call{}, text(r.Method, 400, "400 Bad Request")
	}
	if clean := cleanPath(full); clean != full {
		return Call{}, moved(r.Method, clean, query)
	}
	key, ok := strings.CutPrefix(full, prefix)
	if !ok || (key != "" && key[0] != '/') {
		return Call{}, text(r.Method, 404, "404 page not found\n")
	}
	switch r.Method {
	case "HEAD", "GET", "PUT", "POST", "DELETE":
	default:
		resp := text(r.Method, 405, "Method Not Allowed\n")
		resp.Headers = append(resp.Headers, Header{"Allow", "HEAD,GET,PUT,POST,DELETE"})
		return Call{}, resp
	}
	if key = strings.TrimSuffix(key, "/"); key == "" {
		key = "/"
	}
	call, refusal := decodeKeys(r, key, query)
	if refusal != nil {
		resp := encodeError(refusal, Meta{ClusterID: r.ClusterID}, r.Method == "HEAD")
		return Call{}, &resp
	}
	return call, nil
}

// hasControl reports whether s holds a control character, which no request
// line may and no Location must.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// cleanPath is the path that a server of Go leads an unclean one to: without
// empty, "." and ".." components, but with the slash at the end.
func cleanPath(p string) string {
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

func decodeKeys(r *Request, key, query string) (Call, *keys.Error) {
	var f form
	if err := f.read(r, query); err != nil {
		return Call{}, &keys.Error{Code: keys.CodeInvalidForm, Cause: err.Error()}
	}
	var p params
	if refusal := p.parse(&f, r.Method); refusal != nil {
		return Call{}, refusal
	}
	switch {
	case len(key) > keys.MaxPathBytes:
		return Call{}, invalidField(fmt.Sprintf("key is longer than %d bytes", keys.MaxPathBytes))
	case strings.Count(key, "/") > MaxDepth:
		return Call{}, invalidField(fmt.Sprintf("key has more than %d components", MaxDepth))
	case !validToken(r.Token):
		return Call{}, invalidField("invalid value for " + HeaderToken)
	}
	call := Call{Path: key, Token: r.Token}
	if r.Method == "GET" || r.Method == "HEAD" {
		call.Head = r.Method == "HEAD"
		call.Recursive, call.Sorted, call.Linearizable = p.recursive, p.sorted, p.quorum
		// quorum beats wait: etcd answers with an ordinary read.
		if p.wait && !p.quorum {
			call.Kind, call.Stream, call.Since = Watch, p.stream, p.waitIndex
		}
		return call, nil
	}
	call.Kind = Write
	call.Write = p.command(r.Method, key)
	// A deletion's answer is never trimmed.
	call.NoValueOnSuccess = p.noValue && r.Method != "DELETE"
	return call, nil
}

// validToken reports whether s may be a request id.
func validToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return len(s) <= MaxTokenBytes
}

// params is a form, understood.
type params struct {
	value, prevValue                                              string
	prevIndex, waitIndex, ttl                                     uint64
	recursive, sorted, wait, dir, quorum, stream, noValue, hasTTL bool
	hasPrevExist, prevExist, refresh                              bool
}

// parse checks the parameters in etcd's order, on every method alike.
func (p *params) parse(f *form, method string) *keys.Error {
	p.value, p.prevValue = f.get(paramValue), f.get(paramPrevValue)
	var c check
	p.prevIndex = c.number(f, paramPrevIndex, keys.CodeIndexNaN)
	p.waitIndex = c.number(f, paramWaitIndex, keys.CodeIndexNaN)
	p.recursive = c.flag(f, paramRecursive, true)
	p.sorted = c.flag(f, paramSorted, true)
	p.wait = c.flag(f, paramWait, true)
	p.dir = c.flag(f, paramDir, true)
	p.quorum = c.flag(f, paramQuorum, true)
	p.stream = c.flag(f, paramStream, true)
	if p.wait && method != "GET" {
		c.fail(keys.CodeInvalidField, `"wait" can only be used with GET requests`)
	}
	if f.has(paramPrevValue) && p.prevValue == "" {
		c.fail(keys.CodePrevValueNeeded, `"prevValue" cannot be empty`)
	}
	p.noValue = c.flag(f, paramNoValue, true)
	if f.get(paramTTL) != "" {
		p.hasTTL = true
		p.ttl = c.number(f, paramTTL, keys.CodeTTLNaN)
	}
	p.hasPrevExist = f.has(paramPrevExist)
	p.prevExist = c.flag(f, paramPrevExist, false)
	p.refresh = c.flag(f, paramRefresh, false)
	if p.refresh && p.value != "" {
		c.fail(keys.CodeRefreshValue, "A value was provided on a refresh")
	}
	if p.refresh && !p.hasTTL {
		c.fail(keys.CodeRefreshTTL, "No TTL value set")
	}
	return c.first
}

// check reads parameters and keeps the first failure.
type check struct{ first *keys.Error }

func (c *check) fail(code int, cause string) {
	if c.first == nil {
		c.first = &keys.Error{Code: code, Cause: cause}
	}
}

func (c *check) number(f *form, p param, code int) uint64 {
	if !f.has(p) {
		return 0
	}
	n, err := strconv.ParseUint(f.get(p), 10, 64)
	if err != nil {
		c.fail(code, fmt.Sprintf("invalid value for %q", paramNames[p]))
	}
	return n
}

// flag reads a boolean. Etcd quotes the names of most but not all of them.
func (c *check) flag(f *form, p param, quoted bool) bool {
	if !f.has(p) {
		return false
	}
	v, err := strconv.ParseBool(f.get(p))
	if err != nil {
		name := paramNames[p]
		if quoted {
			name = strconv.Quote(name)
		}
		c.fail(keys.CodeInvalidField, "invalid value for "+name)
	}
	return v
}

func invalidField(cause string) *keys.Error {
	return &keys.Error{Code: keys.CodeInvalidField, Cause: cause}
}

// command is the write that a method and its parameters ask for. What means
// nothing to it is left out.
func (p *params) command(method, key string) keys.Command {
	c := keys.Command{Path: key}
	if method == "DELETE" {
		c.Kind = keys.Delete
		if p.compares() {
			c.Kind, c.PrevValue, c.PrevIndex = keys.CompareAndDelete, p.prevValue, p.prevIndex
		} else {
			c.Dir, c.Recursive = p.dir, p.recursive
		}
		return c
	}
	c.Value, c.Dir, c.HasTTL, c.TTL = p.value, p.dir, p.hasTTL, p.ttl
	switch {
	case method == "POST":
		c.Kind = keys.CreateInOrder
	case p.hasPrevExist && !p.prevExist:
		c.Kind = keys.Create
	case p.compares():
		c.Kind, c.PrevValue, c.PrevIndex = keys.CompareAndSwap, p.prevValue, p.prevIndex
		c.Refresh, c.Dir = p.refresh, false
	case p.hasPrevExist:
		c.Kind = keys.Update
		c.Refresh, c.Dir = p.refresh, false
	default:
		c.Kind = keys.Set
		c.Refresh = p.refresh
	}
	if c.Dir {
		c.Value = ""
	}
	return c
}

func (p *params) compares() bool { return p.prevIndex > 0 || p.prevValue != "" }
