package fleetapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"drydock/node/api"
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
)

// Unavailable is what fleet says while it can't reach its cluster. Its client shows
// it with hints.
const Unavailable = "fleet server unable to communicate with etcd"

// Fail makes an error of fleet's form.
func Fail(status int, message string) *api.Response {
	resp := reply(status, errorView{errorBody{Code: status, Message: message}})
	return &resp
}

// reply makes an answer with a body.
func reply(status int, body any) api.Response {
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
