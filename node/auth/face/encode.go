package face

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"drydock/node/api"
	"drydock/node/auth"
)

// What answers show of users and roles.
type (
	roleView struct {
		Role        string          `json:"role"`
		Permissions permissionsBody `json:"permissions"`
	}
	// userView has its roles in full, changedUser by name.
	userView struct {
		User  string     `json:"user"`
		Roles []roleView `json:"roles,omitempty"`
	}
	changedUser struct {
		User  string   `json:"user"`
		Roles []string `json:"roles"`
	}
	enabledView struct {
		Enabled bool `json:"enabled"`
	}
	usersView struct {
		Users []userView `json:"users"`
	}
	rolesView struct {
		Roles []roleView `json:"roles"`
	}
	messageView struct {
		Message string `json:"message"`
	}
)

// Answer answers a call that doesn't change the book from the book as it is.
// Cluster is the id that the answer shows.
func Answer(b *auth.Book, c *Call, cluster uint64) api.Response {
	switch c.Op {
	case ShowEnabled:
		return done(200, enabledView{b.Enabled()}, cluster)
	case ListUsers:
		var all usersView
		for _, u := range b.Users() {
			view, _ := viewUser(b, &u)
			all.Users = append(all.Users, view)
		}
		return done(200, all, cluster)
	case ListRoles:
		var all rolesView
		for _, r := range b.Roles() {
			all.Roles = append(all.Roles, viewRole(&r))
		}
		return done(200, all, cluster)
	case ShowUser:
		u, ok := b.User(c.Name)
		if !ok {
			return Refused(auth.NoUser(c.Name), cluster)
		}
		view, missing := viewUser(b, &u)
		if missing != nil {
			return Refused(missing, cluster)
		}
		return done(200, view, cluster)
	case ShowRole:
		r, ok := b.Role(c.Name)
		if !ok {
			return Refused(auth.NoRole(c.Name), cluster)
		}
		return done(200, viewRole(&r), cluster)
	}
	panic(fmt.Sprintf("face: operation %d is no question", c.Op))
}

// viewUser shows a user with the roles that there are; the error names the first
// that there isn't.
func viewUser(b *auth.Book, u *auth.User) (view userView, missing error) {
	view.User = u.Name
	for _, name := range u.Roles {
		r, ok := b.Role(name)
		if ok {
			view.Roles = append(view.Roles, viewRole(&r))
		} else if missing == nil {
			missing = auth.NoRole(name)
		}
	}
	return view, missing
}

func viewRole(r *auth.Role) roleView {
	return roleView{Role: r.Name, Permissions: permissionsBody{KV: kvBody{Read: r.Read, Write: r.Write}}}
}

// Done answers a call whose command took effect.
func Done(c *Call, out *auth.Outcome, cluster uint64) api.Response {
	switch c.Op {
	case PutOneUser:
		status := 200
		if out.Created {
			status = 201
		}
		return done(status, changedUser{User: out.User.Name, Roles: out.User.Roles}, cluster)
	case PutOneRole:
		status := 200
		if c.Command.Kind == auth.CreateRole {
			status = 201
		}
		return done(status, viewRole(&out.Role), cluster)
	}
	return api.Response{Status: 200, Headers: jsonHeaders(cluster)}
}

// Refused answers a call that was refused with err. What is no *auth.Error is not for
// the client to see.
func Refused(err error, cluster uint64) api.Response {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return *message(e.Status, e.Message, cluster)
	}
	return *message(500, "Internal Server Error", cluster)
}

// Failed answers a call whose command was not done, or not known to be.
func Failed(outcome api.Outcome, cluster uint64) api.Response {
	resp := message(500, "Internal Server Error", cluster)
	resp.Headers = append(resp.Headers, api.Header{Name: api.HeaderOutcome, Value: outcome.String()})
	return *resp
}

// NotYet answers a call that needs a newer release of the cluster.
func NotYet(cluster uint64) api.Response {
	return *message(500, "Not capable of accessing auth feature during rolling upgrades.", cluster)
}

// Later answers a call of which it can't be known now who sent it.
func Later(why error) api.Response { return *message(503, why.Error(), 0) }

// Unauthorized answers a call, to whatever API but the keyspace's, that needs a
// user with the role root.
func Unauthorized() api.Response { return *message(401, "Insufficient credentials", 0) }

// done writes a success as a line of JSON.
func done(status int, v any, cluster uint64) api.Response {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		panic(fmt.Sprintf("face: encoding %T: %v", v, err))
	}
	return api.Response{Status: status, Headers: jsonHeaders(cluster), Body: body.Bytes()}
}

// message writes an error; unlike a success it doesn't end in a newline. A
// cluster of 0 isn't shown.
func message(status int, text string, cluster uint64) *api.Response {
	resp := done(status, messageView{text}, cluster)
	resp.Body = bytes.TrimSuffix(resp.Body, []byte("\n"))
	return &resp
}

func jsonHeaders(cluster uint64) []api.Header {
	h := append(corsHeaders(), api.Header{Name: "Content-Type", Value: "application/json"})
	if cluster != 0 {
		h = append(h, api.Header{Name: "X-Etcd-Cluster-Id", Value: strconv.FormatUint(cluster, 16)})
	}
	return h
}

// corsHeaders are those that let pages of any origin use the API: what answers a
// pre-flight.
func corsHeaders() []api.Header {
	return elsewhere(&api.Request{Method: "OPTIONS", Target: "/"}).Headers
}
