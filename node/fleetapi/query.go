package fleetapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of parameters.
const (
	// PageSize is how many things are on a page.
	PageSize = 100
	// MaxNames bounds the names that one request may ask for.
	MaxNames = 100
	// MaxLines bounds the lines of a journal in one answer.
	MaxLines = 10000

	defaultLines   = 10
	defaultTimeout = 30 * time.Second
	maxTimeout     = 300 * time.Second
)

// readQuery reads the parameters. Those that an operation doesn't have are
// ignored, as fleet ignores all that it doesn't know.
func (c *Call) readQuery(q url.Values) error {
	p := &params{query: q}
	switch c.Op {
	case ListUnits, GetUnit, WhyUnit, ListStates, GetState, ListMachines:
		quorum := p.flag("quorum", true)
		c.Local = !quorum
		c.Details = p.flag("details", false)
		if c.Wait = p.flag("wait", false); c.Wait {
			c.After = p.number("after", 0, 1<<63)
			c.Timeout = time.Duration(p.number("timeout", uint64(defaultTimeout/time.Second), uint64(maxTimeout/time.Second))) * time.Second
		}
	case UnitJournal, UnitStatus:
		c.Machine = q.Get("machine")
		c.After = p.number("after", 0, 1<<63)
		c.Lines = int(p.number("lines", defaultLines, MaxLines))
		c.Follow = p.flag("follow", false)
	case PutUnit:
		c.Create = p.flag("createOnly", false)
	}
	switch c.Op {
	case ListUnits, ListStates, ListMachines:
		c.Page = p.page()
	}
	switch c.Op {
	case ListUnits:
		c.Names = p.names()
	case ListStates:
		c.Machine, c.Unit = q.Get("machineID"), q.Get("unitName")
	case ListMachines:
		c.All = p.flag("all", false)
	}
	return p.err
}

// params reads parameters, and keeps the first error.
type params struct {
	query url.Values
	err   error
}

func (p *params) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *params) flag(name string, def bool) bool {
	if !p.query.Has(name) {
		return def
	}
	v, err := strconv.ParseBool(p.query.Get(name))
	if err != nil {
		p.fail("invalid value %q for %s: want true or false", p.query.Get(name), name)
	}
	return v
}

func (p *params) number(name string, def, most uint64) uint64 {
	if !p.query.Has(name) {
		return def
	}
	v, err := strconv.ParseUint(p.query.Get(name), 10, 64)
	if err != nil || v > most {
		p.fail("invalid value %q for %s: want a number from 0 to %d", p.query.Get(name), name, most)
	}
	return v
}

func (p *params) names() (names []string) {
	for _, list := range p.query["names"] {
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	if len(names) > MaxNames {
		p.fail("too many names: %d, at most %d", len(names), MaxNames)
	}
	if names == nil && p.query.Has("names") {
		p.fail("invalid value %q for names: want names of units", p.query.Get("names"))
	}
	return names
}

// page reads the page token. Fleet's are two little-endian numbers of 16 bits,
// the size of a page and which one it is, in base64.
func (p *params) page() int {
	tokens := p.query["nextPageToken"]
	switch len(tokens) {
	case 0:
		return 1
	case 1:
	default:
		p.fail("too many values for page token")
		return 1
	}
	page, err := decodeToken(tokens[0])
	if err != nil {
		p.fail("%w", err)
	}
	return page
}

func decodeToken(token string) (page int, err error) {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil {
		return 0, fmt.Errorf("invalid page token %q: %w", token, err)
	}
	if len(raw) < 4 {
		return 0, fmt.Errorf("invalid page token %q: %w", token, io.ErrUnexpectedEOF)
	}
	switch page = int(binary.LittleEndian.Uint16(raw[2:])); {
	case binary.LittleEndian.Uint16(raw) != PageSize:
		return 0, fmt.Errorf("token limit must be %d", PageSize)
	case page == 0:
		return 0, errors.New("token page must be greater than zero")
	}
	return page, nil
}

// nextToken is the token of the page after one that has n things: fleet's rule is
// that a full page may have one. It is empty if there is none.
func nextToken(page, n int) string {
	if n < PageSize || page >= 1<<16-1 {
		return ""
	}
	raw := binary.LittleEndian.AppendUint16(nil, PageSize)
	return base64.URLEncoding.EncodeToString(binary.LittleEndian.AppendUint16(raw, uint16(page+1)))
}
