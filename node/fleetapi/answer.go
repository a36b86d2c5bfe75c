package fleetapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/unit"
)

// Headers of answers, beside HTTP's own.
const (
	// HeaderOurs is on every answer, so that a client knows that it may ask for more
	// than fleet has.
	HeaderOurs = "X-Drydock-Fleet"
	// HeaderRevision is that of the fleet's last change that an answer shows.
	HeaderRevision = "X-Fleet-Revision"
	// HeaderRemark has one remark on a unit; there may be several.
	HeaderRemark = "X-Fleet-Remark"
	// HeaderMachine is the id of the machine that a journal or status is from.
	HeaderMachine = "X-Fleet-Machine"
	// HeaderReason says why a request failed, beyond fleet's words.
	HeaderReason = "X-Drydock-Reason"
)

// Unavailable is what fleet says while it can't reach its cluster. Its client shows
// it with hints.
const Unavailable = "fleet server unable to communicate with etcd"

// Fail makes an error of fleet's form.
func Fail(status int, message string) *api.Response {
	resp := Reply(status, Error{errorBody{Code: status, Message: message}})
	return &resp
}

// Reply makes an answer with a body, which must be one that JSON can have.
func Reply(status int, body any) api.Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("fleetapi: %T can't be written as JSON: %v", body, err))
	}
	return api.Response{
		Status: status, Body: text,
		Headers: append(ownHeaders(), api.Header{Name: "Content-Type", Value: "application/json"}),
	}
}

// empty makes an answer without a body.
func empty(status int) api.Response { return api.Response{Status: status, Headers: ownHeaders()} }

func ownHeaders() []api.Header {
	return []api.Header{{Name: "Server", Value: "fleetd/v1.0.0"}, {Name: HeaderOurs, Value: "1"}}
}

func withRevision(resp api.Response, revision uint64) api.Response {
	resp.Headers = append(resp.Headers, api.Header{Name: HeaderRevision, Value: strconv.FormatUint(revision, 10)})
	return resp
}

// withRemarks adds remarks, each on one line as headers must be.
func withRemarks(resp api.Response, remarks []string) api.Response {
	for _, r := range remarks {
		resp.Headers = append(resp.Headers, api.Header{Name: HeaderRemark, Value: oneLine(r)})
	}
	return resp
}

// oneLine makes a text fit for a header: printable ASCII, with escapes for the rest.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case r < ' ' || r > '~':
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	const most = 500
	if b.Len() > most {
		return b.String()[:most] + " ..."
	}
	return b.String()
}

// JournalHead is the head of a journal's answer, without lines.
func JournalHead() api.Response {
	resp := empty(200)
	resp.Headers = append(resp.Headers, api.Header{Name: "Content-Type", Value: "application/x-ndjson"})
	return resp
}

// Done answers a call whose command took effect.
func (c *Call) Done(out *fleet.Outcome) *api.Response {
	status := 204
	switch {
	case c.Op == PutUnit && out != nil && (out.Created || out.NewText):
		status = 201
	case c.Op == RestartUnit:
		status = 202
	}
	resp := withRemarks(empty(status), c.Remarks)
	return &resp
}

// Words for refusals of the state that fleet has others for than package fleet.
const (
	noUnit    = "unit does not exist"
	noOptions = "unit does not exist and options field empty"
	noState   = "must provide DesiredState to update existing unit"
	exists    = "unit exists with other options"
	noMachine = "machine does not exist"
)

// refusals are the errors of the state, and how they are answered; an empty message
// is the error's own.
func refusals() []struct {
	err     error
	status  int
	message string
} {
	return []struct {
		err     error
		status  int
		message string
	}{
		{fleet.ErrNotFound, 404, noUnit},
		{fleet.ErrExists, 409, exists},
		{fleet.ErrTemplate, 400, ""},
		{fleet.ErrNotLaunched, 409, ""},
		{fleet.ErrReplica, 409, ""},
		{fleet.ErrNoMachine, 404, noMachine},
		{fleet.ErrMachine, 400, ""},
		{fleet.ErrMetadata, 400, ""},
		{fleet.ErrTooLarge, 413, ""},
		{fleet.ErrFull, 507, ""},
		{unit.ErrName, 400, ""},
	}
}

// Refused answers a call whose command the state has refused. It returns nil for an
// error that isn't the state's.
func (c *Call) Refused(err error) *api.Response {
	switch {
	case c.Op == PutUnit && errors.Is(err, fleet.ErrNotFound):
		return Fail(409, noOptions)
	case c.NoState && errors.Is(err, fleet.ErrExists):
		return Fail(409, noState)
	}
	for _, r := range refusals() {
		if errors.Is(err, r.err) {
			if r.message == "" {
				return Fail(r.status, err.Error())
			}
			return Fail(r.status, r.message)
		}
	}
	if e, ok := errors.AsType[*unit.Error](err); ok {
		return Fail(400, e.Error())
	}
	return nil
}

// Failed answers a call that the node didn't carry out: it has had no effect and
// won't have any, or nobody knows. Reason is for people, in a header: fleet's client
// looks for fleet's words.
func Failed(unknown bool, reason string) *api.Response {
	resp, outcome := Fail(503, Unavailable), api.Refused
	if unknown {
		resp, outcome = Fail(500, "no answer from the cluster: this may or may not have been done"), api.Unknown
	}
	resp.Headers = append(resp.Headers, api.Header{Name: api.HeaderOutcome, Value: outcome.String()})
	if reason != "" {
		resp.Headers = append(resp.Headers, api.Header{Name: HeaderReason, Value: oneLine(reason)})
	}
	return resp
}
