package fleetapi

import (
	"net/url"
	"strings"
	"time"

	"drydock/node/api"
	"drydock/node/fleet"
)

// The prefixes of the API; both mean the same.
const (
	Prefix = "/fleet/v1"
	Alpha  = "/v1-alpha"
)

// MaxBodyBytes is the size of the largest body of a request.
const MaxBodyBytes = 1 << 20

// Request is what matters of an HTTP request.
type Request struct {
	Method string
	// Path is decoded, Query is not.
	Path, Query string
	// ContentTypes are the values of that header.
	ContentTypes []string
	// Body may be one byte longer than MaxBodyBytes, which tells that it is too long.
	Body []byte
}

// Op is what a Call asks for.
type Op uint8

// The operations.
const (
	ListUnits Op = iota
	GetUnit
	PutUnit
	DestroyUnit
	RestartUnit
	WhyUnit
	UnitJournal
	UnitStatus
	ListStates
	GetState
	ListMachines
	PatchMachines
	DrainMachine
	Discovery
)

// Call is a decoded request.
type Call struct {
	Op Op
	// Name is the unit's in the path, or what names a machine there.
	Name string
	// Command is what a call that changes something proposes. That of DrainMachine
	// needs a machine's whole id: see Collect.
	Command *fleet.Command
	// Remarks are about the unit of a PUT: what does nothing, or needs systemd.
	Remarks []string
	// NoState says that a PUT has options and no desiredState, which fleet takes for
	// new units only.
	NoState bool
	// Create says that a PUT must not change a unit's text.
	Create bool

	// Local reads the node's own copy. Details asks for our fields, All for machines
	// that are down.
	Local, Details, All bool
	// Names are the units of ListUnits, nil for all.
	Names []string
	// Machine and Unit choose states; Machine also a place of a unit.
	Machine, Unit string
	// Page counts from 1.
	Page int
	// Wait has the answer wait until the revision is above After, at most Timeout.
	Wait    bool
	After   uint64
	Timeout time.Duration
	// Lines and Follow are of a journal, and After the number of the last line that
	// the client has.
	Lines  int
	Follow bool
}

// Changes says whether the call is a command.
func (c *Call) Changes() bool {
	switch c.Op {
	case PutUnit, DestroyUnit, RestartUnit, PatchMachines, DrainMachine:
		return true
	}
	return false
}

// AtMachine says whether the answer is known to a machine only.
func (c *Call) AtMachine() bool { return c.Op == UnitJournal || c.Op == UnitStatus }

// What fleet says of methods that a path doesn't have.
const (
	onlyGet        = "only GET supported against this resource"
	onlyGetPatch   = "only GET and PATCH supported against this resource"
	onlyUnit       = "only GET, PUT and DELETE supported against this resource"
	onlyPost       = "only POST supported against this resource"
	onlyPutDelete  = "only PUT and DELETE supported against this resource"
	onlyGetForDocs = "only HTTP GET supported against this resource"
)

// Decode reads a request. It returns the call; or a Response, which is the whole
// answer, and no call.
func Decode(r *Request) (*Call, *api.Response) {
	rest, ok := strings.CutPrefix(r.Path, Prefix)
	if !ok {
		rest, ok = strings.CutPrefix(r.Path, Alpha)
	}
	switch {
	case r.Path == "/" || ok && rest == "":
		return nil, Fail(405, "")
	case !ok || rest[0] != '/':
		return nil, Fail(404, "")
	}
	call, resp := route(r, strings.Split(rest[1:], "/"))
	if resp != nil {
		return nil, resp
	}
	query, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, Fail(400, "malformed query: "+err.Error())
	}
	if err := call.readQuery(query); err != nil {
		return nil, Fail(400, err.Error())
	}
	if resp := call.readBody(r); resp != nil {
		return nil, resp
	}
	return call, nil
}

// route finds the operation of a method on a path.
func route(r *Request, path []string) (*Call, *api.Response) {
	call := &Call{}
	if len(path) > 1 {
		call.Name = path[1]
		if call.Name == "" {
			return nil, Fail(404, "")
		}
	}
	kind := path[0]
	if len(path) > 1 {
		kind += "/"
	}
	if len(path) == 3 {
		kind += path[2]
	}
	if len(path) > 3 || len(path) == 3 && path[2] == "" {
		return nil, Fail(404, "")
	}
	res, ok := resourceAt(kind)
	if !ok {
		return nil, Fail(404, "")
	}
	for _, m := range res.methods {
		if m.method == r.Method {
			call.Op = m.op
			return call, nil
		}
	}
	return nil, Fail(res.status, res.only)
}

// resource is what is at a path, and what it answers to other methods.
type resource struct {
	methods []method
	status  int
	only    string
}

type method struct {
	method string
	op     Op
}

// resourceAt returns the resource of a kind: the path with its second part, the
// name, left out.
func resourceAt(kind string) (resource, bool) {
	get := func(op Op) []method { return []method{{"GET", op}} }
	switch kind {
	case "units":
		return resource{get(ListUnits), 405, onlyGet}, true
	case "units/":
		return resource{[]method{{"GET", GetUnit}, {"PUT", PutUnit}, {"DELETE", DestroyUnit}}, 405, onlyUnit}, true
	case "units/restart":
		return resource{[]method{{"POST", RestartUnit}}, 405, onlyPost}, true
	case "units/why":
		return resource{get(WhyUnit), 405, onlyGet}, true
	case "units/journal":
		return resource{get(UnitJournal), 405, onlyGet}, true
	case "units/status":
		return resource{get(UnitStatus), 405, onlyGet}, true
	case "state":
		return resource{get(ListStates), 405, onlyGet}, true
	case "state/":
		return resource{get(GetState), 405, onlyGet}, true
	case "machines":
		return resource{[]method{{"GET", ListMachines}, {"PATCH", PatchMachines}}, 405, onlyGetPatch}, true
	case "machines/drain":
		return resource{[]method{{"PUT", DrainMachine}, {"DELETE", DrainMachine}}, 405, onlyPutDelete}, true
	case "discovery":
		return resource{get(Discovery), 400, onlyGetForDocs}, true
	}
	return resource{}, false
}
