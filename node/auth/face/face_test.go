package face_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/auth/face"
)

const cluster = 0xc1

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		method, target string
		want           face.Call
		status         int
		allow          string
	}{
		{"GET", "/v2/auth/enable", face.Call{Op: face.ShowEnabled}, 0, ""},
		{"PUT", "/v2/auth/enable?x=y", face.Call{Op: face.SwitchOn}, 0, ""},
		{"DELETE", "/v2/auth/enable", face.Call{Op: face.SwitchOff}, 0, ""},
		{"GET", "/v2/auth/users", face.Call{Op: face.ListUsers}, 0, ""},
		{"GET", "/v2/auth/roles/", face.Call{Op: face.ListRoles}, 0, ""},
		{"GET", "/v2/auth/users/u", face.Call{Op: face.ShowUser, Name: "u"}, 0, ""},
		{"PUT", "/v2/auth/users/u%20v/", face.Call{Op: face.PutOneUser, Name: "u v"}, 0, ""},
		{"DELETE", "/v2/auth/roles/_r", face.Call{Op: face.RemoveRole, Name: "_r"}, 0, ""},
		{"OPTIONS", "/v2/auth/users", face.Call{}, 200, ""},
		{"GET", "/v2/auth/users/a/b", face.Call{}, 400, ""},
		{"GET", "/v2/auth/users/a%2Fb", face.Call{}, 400, ""},
		{"GET", "/v2/auth/users/%zz", face.Call{}, 400, ""},
		{"GET", "/v2/auth/users/..", face.Call{}, 301, ""},
		{"GET", "/v2/auth/users//u", face.Call{}, 301, ""},
		{"GET", "/v2/auth", face.Call{}, 404, ""},
		{"GET", "/v2/auth/user", face.Call{}, 404, ""},
		{"GET", "/v2/auth/enable/", face.Call{}, 404, ""},
		{"GET", "/v2/keys/a", face.Call{}, 404, ""},
		{"GET", "v2/auth/users", face.Call{}, 400, ""},
		{"POST", "/v2/auth/users", face.Call{}, 405, "GET"},
		{"HEAD", "/v2/auth/roles/r", face.Call{}, 405, "GET,PUT,DELETE"},
	} {
		call, resp := face.Decode(&api.Request{Method: tc.method, Target: tc.target})
		if resp == nil {
			resp = &api.Response{}
		}
		if d := cmp.Diff(tc.want, call); d != "" || resp.Status != tc.status || resp.Get("Allow") != tc.allow {
			t.Errorf("%s %s: status %d, Allow %q %s", tc.method, tc.target, resp.Status, resp.Get("Allow"), d)
		}
	}
}

func TestReadBody(t *testing.T) {
	for name, tc := range map[string]struct {
		op       face.Op
		body     string
		want     auth.Command
		password string
		status   int
	}{
		"on":           {face.SwitchOn, "anything", auth.Command{Kind: auth.Enable}, "", 0},
		"off":          {face.SwitchOff, "", auth.Command{Kind: auth.Disable}, "", 0},
		"no user":      {face.RemoveUser, "", auth.Command{Kind: auth.DeleteUser, Name: "n"}, "", 0},
		"no role":      {face.RemoveRole, "", auth.Command{Kind: auth.DeleteRole, Name: "n"}, "", 0},
		"put":          {face.PutOneUser, `{"user":"n","password":"p"}`, auth.Command{Kind: auth.PutUser, Name: "n"}, "p", 0},
		"create":       {face.PutOneUser, `{"user":"n","password":"p","roles":["r"]}`, auth.Command{Kind: auth.CreateUser, Name: "n", Roles: []string{"r"}}, "p", 0},
		"grant":        {face.PutOneUser, `{"user":"n","grant":["r"]}`, auth.Command{Kind: auth.UpdateUser, Name: "n", GrantRoles: []string{"r"}}, "", 0},
		"permissions":  {face.PutOneRole, `{"role":"n","permissions":{"kv":{"read":["/a"]}}}`, auth.Command{Kind: auth.CreateRole, Name: "n", Permissions: auth.Permissions{Read: []string{"/a"}}}, "", 0},
		"revoke":       {face.PutOneRole, `{"role":"n","revoke":{"kv":{"write":["/a"]}}}`, auth.Command{Kind: auth.UpdateRole, Name: "n", Revoke: auth.Permissions{Write: []string{"/a"}}}, "", 0},
		"no JSON":      {face.PutOneRole, `role=n`, auth.Command{}, "", 400},
		"another name": {face.PutOneUser, `{"user":"m"}`, auth.Command{}, "", 400},
		"a long word":  {face.PutOneUser, `{"user":"n","password":"` + strings.Repeat("p", face.MaxPasswordBytes+1) + `"}`, auth.Command{}, "", 400},
		"a long body":  {face.PutOneUser, strings.Repeat(" ", face.MaxBodyBytes) + "{}", auth.Command{}, "", 413},
		"a long role":  {face.PutOneUser, `{"user":"n","grant":["` + strings.Repeat("r", auth.MaxNameBytes+1) + `"]}`, auth.Command{}, "", 400},
		"both":         {face.PutOneRole, `{"role":"n","permissions":{"kv":{"read":["/a"]}},"grant":{"kv":{"read":["/a"]}}}`, auth.Command{}, "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			call := face.Call{Op: tc.op, Name: "n"}
			resp := call.ReadBody([]byte(tc.body), cluster)
			if resp != nil {
				if resp.Status != tc.status || resp.Get("X-Etcd-Cluster-Id") != "c1" {
					t.Fatalf("answered %d %s", resp.Status, resp.Body)
				}
				return
			}
			if d := cmp.Diff(tc.want, call.Command); d != "" || call.Password != tc.password || tc.status != 0 {
				t.Errorf("password %q, want status %d: %s", call.Password, tc.status, d)
			}
		})
	}
}

// What isn't the client's business is not told, and what isn't known is.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		resp    api.Response
		status  int
		message string
		outcome string
		cluster bool
	}{
		{face.Refused(errors.New("secret"), cluster), 500, "Internal Server Error", "", true},
		{face.Refused(auth.NoUser("u"), cluster), 404, "auth: User u does not exist.", "", true},
		{face.Failed(api.Unknown, cluster), 500, "Internal Server Error", "unknown", true},
		{face.Failed(api.Refused, cluster), 500, "Internal Server Error", "refused", true},
		{face.NotYet(cluster), 500, "Not capable of accessing auth feature during rolling upgrades.", "", true},
		{face.Unauthorized(), 401, "Insufficient credentials", "", false},
		{face.Later(errors.New("later")), 503, "later", "", false},
	} {
		var body struct{ Message string }
		err := json.Unmarshal(tc.resp.Body, &body)
		shown := tc.resp.Get("X-Etcd-Cluster-Id") != ""
		if err != nil || tc.resp.Status != tc.status || body.Message != tc.message || shown != tc.cluster ||
			tc.resp.Get(api.HeaderOutcome) != tc.outcome || tc.resp.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%d %s %v, want %d %s", tc.resp.Status, tc.resp.Body, tc.resp.Headers, tc.status, tc.message)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("PUT", "/v2/auth/users/u", []byte(`{"user":"u","password":"p","roles":["r"]}`))
	f.Add("PUT", "/v2/auth/users/u/", []byte(`{"user":"u","grant":["r"],"revoke":["s"]}`))
	f.Add("PUT", "/v2/auth/roles/r%20", []byte(`{"role":"r ","permissions":{"kv":{"read":["/a"],"write":null}}}`))
	f.Add("GET", "/v2/auth/roles//r", []byte("{}"))
	f.Add("DELETE", "/v2/auth/enable?x", []byte{})
	book := new(auth.Book)
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		call, resp := face.Decode(&api.Request{Method: method, Target: target})
		if resp != nil {
			if resp.Status < 200 || resp.Status > 599 {
				t.Fatalf("status %d", resp.Status)
			}
			return
		}
		if !call.Changes() {
			if r := face.Answer(book, &call, cluster); r.Status != 200 && r.Status != 404 {
				t.Fatalf("answered %d", r.Status)
			}
			return
		}
		if resp := call.ReadBody(body, cluster); resp != nil {
			if resp.Status != 400 && resp.Status != 413 || !json.Valid(resp.Body) {
				t.Fatalf("answered %d %s", resp.Status, resp.Body)
			}
			return
		}
		if err := call.Command.Check(); err != nil {
			t.Fatalf("%s %s %s makes a command that nobody takes: %v", method, target, body, err)
		}
	})
}
