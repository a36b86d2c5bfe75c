package fleetapi_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

// ask splits "METHOD TARGET" and decodes it as JSON.
func ask(line, body string) *fleetapi.Request {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	return &fleetapi.Request{
		Method: method, Path: path, Query: query, ContentTypes: []string{"application/json"}, Body: []byte(body),
	}
}

const hello = `{"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep 1"}]}`

// TestRefusals has the words of the real server, where it has some, for every way
// to ask for what can't be.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		line, body string
		status     int
		message    string
	}{
		{"GET /", "", 405, ""},
		{"GET /fleet/v1", "", 405, ""},
		{"PUT /v1-alpha", "", 405, ""},
		{"GET /fleet/v1/", "", 404, ""},
		{"GET /fleet/v2/units", "", 404, ""},
		{"GET /fleet/v1x/units", "", 404, ""},
		{"GET /fleet/v1/bogus", "", 404, ""},
		{"GET /fleet/v1/units/", "", 404, ""},
		{"GET /fleet/v1/units/a/b", "", 404, ""},
		{"GET /fleet/v1/units/a/why/", "", 404, ""},
		{"GET /fleet/v1/machines/a", "", 404, ""},
		{"POST /fleet/v1/units", "", 405, "only GET supported against this resource"},
		{"HEAD /fleet/v1/units", "", 405, "only GET supported against this resource"},
		{"POST /fleet/v1/units/a.service", "", 405, "only GET, PUT and DELETE supported against this resource"},
		{"PUT /fleet/v1/machines", "", 405, "only GET and PATCH supported against this resource"},
		{"DELETE /fleet/v1/state", "", 405, "only GET supported against this resource"},
		{"PUT /fleet/v1/state/a.service", "", 405, "only GET supported against this resource"},
		{"POST /fleet/v1/discovery", "", 400, "only HTTP GET supported against this resource"},
		{"GET /fleet/v1/units/a.service/restart", "", 405, "only POST supported against this resource"},
		{"GET /fleet/v1/machines/1/drain", "", 405, "only PUT and DELETE supported against this resource"},

		{"PUT /fleet/v1/units/a.service", "", 400, "unable to decode body: EOF"},
		{"PUT /fleet/v1/units/a.service", "{", 400, "unable to decode body: unexpected EOF"},
		{"PUT /fleet/v1/units/a.service", `{"name":"b.service"}`, 400, `name in URL "a.service" differs from unit name in request body "b.service"`},
		{"PUT /fleet/v1/units/foo", hello, 400, `unit name must contain "."`},
		{"PUT /fleet/v1/units/a.", hello, 400, `unit name cannot end in "."`},
		{"PUT /fleet/v1/units/a.foo", hello, 400, `invalid unit type: "foo"`},
		{"PUT /fleet/v1/units/a+.service", hello, 400, `invalid character '+' in unit name`},
		{"PUT /fleet/v1/units/@a.service", hello, 400, `unit name cannot start in "@"`},
		{"PUT /fleet/v1/units/a.service", `{"desiredState":"bogus"}`, 400, `invalid desiredState "bogus": want inactive, loaded or launched`},
		{"PUT /fleet/v1/units/a@.service", hello, 400, `cannot activate template "a@.service"`},
		{"PUT /fleet/v1/units/a.service", fleetOptions("Global", "true", "Replaces", "b"), 400, "Global cannot be used with Replaces"},
		{"PUT /fleet/v1/units/a.service", fleetOptions("MachineOf", "b.service", "Conflicts", "b*"), 400, `unresolvable requirements: peer "b.service" matches conflict "b*"`},
		{"PUT /fleet/v1/units/a.service", fleetOptions("MachineID", "1", "Conflicts", "b"), 400, "MachineID cannot be used with Conflicts"},
		{"PUT /fleet/v1/units/a.service", `{"desiredState":"launched","options":[{"section":"Service","value":"x"}]}`, 400, "option 1 has no name"},
		{"PUT /fleet/v1/units/a.service?createOnly=perhaps", hello, 400, `invalid value "perhaps" for createOnly: want true or false`},
		{"PUT /fleet/v1/units/a.service", strings.Repeat(" ", fleetapi.MaxBodyBytes+1), 413, "request body too large: at most 1048576 bytes"},

		{"PATCH /fleet/v1/machines", `{}`, 400, "unable to decode body: unexpected object"},
		{"PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/metadata/a","value":"x"}]`, 400, `unable to decode body: unexpected string in field "value"`},
		{"PATCH /fleet/v1/machines", `[{"op":"noop","path":"/1/metadata/a","value":{"value":"x"}}]`, 400, "invalid op: expect add, remove, or replace"},
		{"PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/abc/a","value":{"value":"x"}}]`, 400, "machine metadata path invalid"},
		{"PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/metadata/a b","value":{"value":"x"}}]`, 400, "machine metadata path invalid"},
		{"PATCH /fleet/v1/machines", `[{"op":"remove","path":"//metadata/a"}]`, 400, "machine metadata path invalid"},
		{"PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/metadata/a"}]`, 400, "invalid value: add and replace require a value"},
		{"PATCH /fleet/v1/machines", `[{"op":"replace","path":"/1/metadata/a","value":{}}]`, 400, "invalid value: add and replace require a value"},
		{"PATCH /fleet/v1/machines", "[" + strings.Repeat("{},", 1000) + "{}]", 400, "too many operations: 1001, at most 1000"},

		{"GET /fleet/v1/units?nextPageToken=EwBGAA==", "", 400, "token limit must be 100"},
		{"GET /fleet/v1/units?nextPageToken=ZAAAAA==", "", 400, "token page must be greater than zero"},
		{"GET /fleet/v1/state?nextPageToken=ZAACAA==&nextPageToken=ZAACAA==", "", 400, "too many values for page token"},
		{"GET /fleet/v1/machines?nextPageToken=$", "", 400, `invalid page token "$": illegal base64 data at input byte 0`},
		{"GET /fleet/v1/machines?nextPageToken=", "", 400, `invalid page token "": unexpected EOF`},
		{"GET /fleet/v1/units?a=%zz", "", 400, `malformed query: invalid URL escape "%zz"`},
		{"GET /fleet/v1/units?quorum=no", "", 400, `invalid value "no" for quorum: want true or false`},
		{"GET /fleet/v1/units?wait=true&after=-1", "", 400, `invalid value "-1" for after: want a number from 0 to 9223372036854775808`},
		{"GET /fleet/v1/units?wait=true&timeout=301", "", 400, `invalid value "301" for timeout: want a number from 0 to 300`},
		{"GET /fleet/v1/units?names=,", "", 400, `invalid value "," for names: want names of units`},
		{"GET /fleet/v1/units?names=" + strings.Repeat("a,", 101), "", 400, "too many names: 101, at most 100"},
		{"GET /fleet/v1/units/a.service/journal?lines=10001", "", 400, `invalid value "10001" for lines: want a number from 0 to 10000`},
	} {
		call, resp := fleetapi.Decode(ask(tc.line, tc.body))
		if resp == nil {
			t.Errorf("%s: decoded to %+v", tc.line, call)
			continue
		}
		want := fleetapi.Fail(tc.status, tc.message)
		if diff := cmp.Diff(string(want.Body), string(resp.Body)); diff != "" || resp.Status != tc.status {
			t.Errorf("%s: status %d, body (-want +got):\n%s", tc.line, resp.Status, diff)
		}
	}
}

func fleetOptions(pairs ...string) string {
	var options []string
	for i := 0; i < len(pairs); i += 2 {
		options = append(options, `{"section":"X-Fleet","name":"`+pairs[i]+`","value":"`+pairs[i+1]+`"}`)
	}
	return `{"desiredState":"launched","options":[` + strings.Join(options, ",") + `]}`
}

func TestContentType(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"PUT /fleet/v1/units/a.service", "POST /fleet/v1/units/a.service/restart"} {
		for want, values := range map[string][]string{
			"only acceptable Content-Type is application/json": {"text/plain"},
			"expected 1 Content-Type, got 0":                   nil,
			"expected 1 Content-Type, got 2":                   {"application/json", "application/json"},
			"":                                                 {"application/json; charset=utf-8"},
		} {
			r := ask(line, hello)
			r.ContentTypes = values
			_, resp := fleetapi.Decode(r)
			switch {
			case want == "" && resp != nil:
				t.Errorf("%s: %q is refused: %s", line, values, resp.Body)
			case want != "" && (resp == nil || resp.Status != 415 || !strings.Contains(string(resp.Body), want)):
				t.Errorf("%s: %q: %+v", line, values, resp)
			}
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	launched, inactive := fleet.Launched, fleet.Inactive
	const text = "[Service]\nExecStart=/bin/sleep 1\n"
	value := "x"
	for _, tc := range []struct {
		line, body string
		want       fleetapi.Call
	}{
		{"GET /fleet/v1/units", "", fleetapi.Call{Op: fleetapi.ListUnits, Page: 1}},
		{"GET /v1-alpha/units?nextPageToken=ZAACAA==&names=a.service,b.service&names=c.service", "", fleetapi.Call{Op: fleetapi.ListUnits, Page: 2, Names: []string{"a.service", "b.service", "c.service"}}},
		{"GET /fleet/v1/state?machineID=1&unitName=a.service&quorum=false&details=1", "", fleetapi.Call{Op: fleetapi.ListStates, Page: 1, Machine: "1", Unit: "a.service", Local: true, Details: true}},
		{"GET /fleet/v1/machines?all=true&wait=true&after=7", "", fleetapi.Call{Op: fleetapi.ListMachines, Page: 1, All: true, Wait: true, After: 7, Timeout: 30e9}},
		{"GET /fleet/v1/units/a@b.service/journal?follow=true&lines=5&machine=1", "", fleetapi.Call{Op: fleetapi.UnitJournal, Name: "a@b.service", Follow: true, Lines: 5, Machine: "1"}},
		{"PUT /fleet/v1/units/a.service", hello, fleetapi.Call{Op: fleetapi.PutUnit, Name: "a.service", Command: &fleet.Command{Put: &fleet.Put{Name: "a.service", Text: text, Desired: &launched}}}},
		{"PUT /fleet/v1/units/a.service", `{"desiredState":"inactive","unknown":1} more`, fleetapi.Call{Op: fleetapi.PutUnit, Name: "a.service", Command: &fleet.Command{Put: &fleet.Put{Name: "a.service", Desired: &inactive}}}},
		{"PUT /fleet/v1/units/a.service?createOnly=1", hello, fleetapi.Call{Op: fleetapi.PutUnit, Name: "a.service", Create: true, Command: &fleet.Command{Put: &fleet.Put{Name: "a.service", Text: text, Desired: &launched, Create: true}}}},
		{"PUT /fleet/v1/units/a.service", `{"options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep 1"}]}`, fleetapi.Call{Op: fleetapi.PutUnit, Name: "a.service", NoState: true, Command: &fleet.Command{Put: &fleet.Put{Name: "a.service", Text: text, Create: true}}}},
		{"DELETE /fleet/v1/units/a.service", "", fleetapi.Call{Op: fleetapi.DestroyUnit, Name: "a.service", Command: &fleet.Command{Destroy: &fleet.Destroy{Name: "a.service"}}}},
		{"POST /fleet/v1/units/a.service/restart", "", fleetapi.Call{Op: fleetapi.RestartUnit, Name: "a.service", Command: &fleet.Command{Put: &fleet.Put{Name: "a.service", Restart: true}}}},
		{"DELETE /fleet/v1/machines/1/drain", "", fleetapi.Call{Op: fleetapi.DrainMachine, Name: "1", Command: &fleet.Command{Drain: &fleet.Drain{Machine: "1"}}}},
		{"PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/metadata/a","value":{"value":"x"}},{"op":"remove","path":"/2/metadata/b.c_d-e"}]`, fleetapi.Call{Op: fleetapi.PatchMachines, Command: &fleet.Command{Patch: &fleet.Patch{Ops: []fleet.PatchOp{{Machine: "1", Key: "a", Value: &value}, {Machine: "2", Key: "b.c_d-e"}}}}}},
	} {
		got, resp := fleetapi.Decode(ask(tc.line, tc.body))
		if resp != nil {
			t.Errorf("%s: %s", tc.line, resp.Body)
			continue
		}
		if diff := cmp.Diff(&tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.line, diff)
		}
	}
}

func TestRemarks(t *testing.T) {
	t.Parallel()
	body := `{"desiredState":"launched","options":[
		{"section":"X-Fleet","name":"Frobnicate","value":"1"},
		{"section":"Service","name":"ExecStart","value":"/bin/true"},
		{"section":"Service","name":"PrivateTmp","value":"yes"}]}`
	call, resp := fleetapi.Decode(ask("PUT /fleet/v1/units/a.service", body))
	if resp != nil {
		t.Fatalf("%s", resp.Body)
	}
	all := strings.Join(call.Remarks, "\n")
	for _, want := range []string{"Frobnicate", "PrivateTmp"} {
		if !strings.Contains(all, want) {
			t.Errorf("no remark on %s:\n%s", want, all)
		}
	}
	call, resp = fleetapi.Decode(ask("PUT /fleet/v1/units/a.service", `{"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"sleep '1"}]}`))
	if resp != nil || len(call.Remarks) == 0 || !strings.HasPrefix(call.Remarks[0], "this won't run: ") {
		t.Errorf("a unit that can't be started: %+v %+v", call, resp)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("GET", "/fleet/v1/units", "nextPageToken=ZAACAA==", "application/json", "")
	f.Add("PUT", "/v1-alpha/units/a@1.service", "createOnly=1", "application/json", hello)
	f.Add("PATCH", "/fleet/v1/machines", "", "", `[{"op":"add","path":"/1/metadata/a","value":{"value":"x"}}]`)
	f.Add("GET", "/fleet/v1/units/a/journal", "follow=1&lines=3", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body string) {
		call, resp := fleetapi.Decode(&fleetapi.Request{Method: method, Path: path, Query: query, ContentTypes: []string{contentType}, Body: []byte(body)})
		switch {
		case (call == nil) == (resp == nil):
			t.Fatalf("%s %s: call %+v and answer %+v", method, path, call, resp)
		case resp != nil && (resp.Status < 400 || resp.Status > 499):
			t.Fatalf("%s %s: status %d", method, path, resp.Status)
		case call != nil && call.Changes() != (call.Command != nil):
			t.Fatalf("%s %s: %+v", method, path, call)
		case call != nil && call.Page > 1<<16:
			t.Fatalf("page %d", call.Page)
		}
	})
}

func TestPageTokens(t *testing.T) {
	t.Parallel()
	// The token of page 2, as fleet writes it.
	if got := base64.URLEncoding.EncodeToString([]byte{100, 0, 2, 0}); got != "ZAACAA==" {
		t.Fatal(got)
	}
}
