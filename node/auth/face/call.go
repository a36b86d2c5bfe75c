package face

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"drydock/node/api"
	"drydock/node/auth"
)

// Prefix is where the auth API is in the server's paths.
const Prefix = "/v2/auth"

// The bounds of a request.
const (
	// MaxBodyBytes is the size of the largest body of a request.
	MaxBodyBytes = 1 << 20
	// MaxPasswordBytes is the length of the longest password.
	MaxPasswordBytes = 4096
)

// Op is what a Call asks for.
type Op uint8

// The operations.
const (
	// ShowEnabled asks whether auth is on, SwitchOn and SwitchOff change that.
	ShowEnabled Op = iota
	SwitchOn
	SwitchOff
	// ListUsers and ListRoles ask for all of them.
	ListUsers
	ListRoles
	// ShowUser, PutOneUser and RemoveUser are about one user.
	ShowUser
	PutOneUser
	RemoveUser
	// ShowRole, PutOneRole and RemoveRole are about one role.
	ShowRole
	PutOneRole
	RemoveRole
)

// Call is a decoded request.
type Call struct {
	Op Op
	// Name is the user's or role's in the path.
	Name string
	// Command is what a call that Changes proposes, complete but for the hash of
	// Password.
	Command auth.Command
	// Password is what Command.Hash is to be made of; empty if there is none.
	Password string
}

// NeedsRoot says whether the call is for users with the role root only.
func (c *Call) NeedsRoot() bool { return c.Op != ShowEnabled }

// Changes says whether the call is a command; if not, Book answers it.
func (c *Call) Changes() bool {
	switch c.Op {
	case ShowEnabled, ListUsers, ListRoles, ShowUser, ShowRole:
		return false
	}
	return true
}

// Decode reads method and path of a request. It returns the call; or a Response,
// which is the whole answer, and no call. A call that Changes is complete only
// after ReadBody: who may not ask for it need not be read to the end.
func Decode(r *api.Request) (Call, *api.Response) {
	rawPath, _, _ := strings.Cut(r.Target, "?")
	full, err := url.PathUnescape(rawPath)
	rest, ours := strings.CutPrefix(full, Prefix+"/")
	if err != nil || !ours || r.Method == "OPTIONS" || strings.Contains(full, "//") || hasDots(full) {
		return Call{}, elsewhere(r)
	}
	kind, name, _ := strings.Cut(rest, "/")
	name = strings.TrimSuffix(name, "/")
	var ops [3]Op // GET, PUT, DELETE
	switch {
	case rest == "enable":
		return route(r.Method, "", ShowEnabled, SwitchOn, SwitchOff)
	case kind != "users" && kind != "roles":
		return Call{}, elsewhere(r)
	case strings.Contains(name, "/"):
		return Call{}, message(400, "Invalid path", 0)
	case name == "" && kind == "users":
		return route(r.Method, "", ListUsers)
	case name == "":
		return route(r.Method, "", ListRoles)
	case kind == "users":
		ops = [...]Op{ShowUser, PutOneUser, RemoveUser}
	default:
		ops = [...]Op{ShowRole, PutOneRole, RemoveRole}
	}
	return route(r.Method, name, ops[:]...)
}

// hasDots reports whether a path has "." or ".." among its components.
func hasDots(path string) bool {
	for name := range strings.SplitSeq(path, "/") {
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// elsewhere answers what isn't the auth API's as every unknown path is answered:
// cross-origin pre-flights, unclean and bad paths, and those that lead nowhere.
func elsewhere(r *api.Request) *api.Response {
	_, resp := api.Decode(&api.Request{Method: r.Method, Target: r.Target})
	if resp == nil {
		_, resp = api.Decode(&api.Request{Method: r.Method, Target: "/"})
	}
	return resp
}

// route picks the operation of a method: GET, PUT and DELETE, in this order, as
// far as there are operations.
func route(method, name string, ops ...Op) (Call, *api.Response) {
	methods := [...]string{"GET", "PUT", "DELETE"}
	for i, op := range ops {
		if method == methods[i] {
			return Call{Op: op, Name: name}, nil
		}
	}
	resp := &api.Response{Status: 405, Headers: append(corsHeaders(),
		api.Header{Name: "Allow", Value: strings.Join(methods[:len(ops)], ",")},
		api.Header{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		api.Header{Name: "X-Content-Type-Options", Value: "nosniff"})}
	if method != "HEAD" {
		resp.Body = []byte("Method Not Allowed\n")
	}
	return Call{}, resp
}

// userBody and roleBody are what a client may send. As in the original, names of
// fields are taken in any case, unknown ones and what follows the first value
// are ignored.
type userBody struct {
	User     string   `json:"user"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
	Grant    []string `json:"grant"`
	Revoke   []string `json:"revoke"`
}

type kvBody struct {
	Read  []string `json:"read"`
	Write []string `json:"write"`
}

type permissionsBody struct {
	KV kvBody `json:"kv"`
}

func (p *permissionsBody) permissions() auth.Permissions {
	return auth.Permissions{Read: p.KV.Read, Write: p.KV.Write}
}

type roleBody struct {
	Role        string          `json:"role"`
	Permissions permissionsBody `json:"permissions"`
	Grant       permissionsBody `json:"grant"`
	Revoke      permissionsBody `json:"revoke"`
}

// ReadBody completes a call that Changes from the request's body. It returns nil,
// or the whole answer: cluster is shown in it.
func (c *Call) ReadBody(body []byte, cluster uint64) *api.Response {
	err := c.read(body)
	if err == nil {
		err = c.Command.Check()
	}
	if err == nil {
		return nil
	}
	resp := Refused(err, cluster)
	return &resp
}

func (c *Call) read(body []byte) error {
	switch c.Op {
	case SwitchOn:
		c.Command = auth.Command{Kind: auth.Enable}
	case SwitchOff:
		c.Command = auth.Command{Kind: auth.Disable}
	case RemoveUser:
		c.Command = auth.Command{Kind: auth.DeleteUser, Name: c.Name}
	case RemoveRole:
		c.Command = auth.Command{Kind: auth.DeleteRole, Name: c.Name}
	case PutOneUser:
		return c.readUser(body)
	case PutOneRole:
		return c.readRole(body)
	}
	return nil
}

func (c *Call) readUser(body []byte) error {
	var in userBody
	if err := readJSON(body, &in); err != nil {
		return err
	}
	if in.User != c.Name {
		return &auth.Error{Status: 400, Message: "User JSON name does not match the name in the URL"}
	}
	if len(in.Password) > MaxPasswordBytes {
		return tooLong("password", len(in.Password), MaxPasswordBytes, 400)
	}
	c.Password = in.Password
	c.Command = auth.Command{Kind: auth.PutUser, Name: in.User, Roles: in.Roles}
	switch {
	case len(in.Grant) == 0 && len(in.Revoke) == 0:
		if len(in.Roles) > 0 {
			c.Command.Kind = auth.CreateUser
		}
	case len(in.Roles) > 0:
		return &auth.Error{Status: 400, Message: "User JSON contains both roles and grant/revoke"}
	default:
		c.Command = auth.Command{Kind: auth.UpdateUser, Name: in.User, GrantRoles: in.Grant, RevokeRoles: in.Revoke}
	}
	return nil
}

func (c *Call) readRole(body []byte) error {
	var in roleBody
	if err := readJSON(body, &in); err != nil {
		return err
	}
	if in.Role != c.Name {
		return &auth.Error{Status: 400, Message: "Role JSON name does not match the name in the URL"}
	}
	given, grant, revoke := in.Permissions.permissions(), in.Grant.permissions(), in.Revoke.permissions()
	switch {
	case grant.Empty() && revoke.Empty():
		c.Command = auth.Command{Kind: auth.CreateRole, Name: in.Role, Permissions: given}
	case !given.Empty():
		return &auth.Error{Status: 400, Message: "Role JSON contains both permissions and grant/revoke"}
	default:
		c.Command = auth.Command{Kind: auth.UpdateRole, Name: in.Role, Grant: grant, Revoke: revoke}
	}
	return nil
}

func readJSON(body []byte, into any) error {
	if len(body) > MaxBodyBytes {
		return tooLong("request's body", len(body), MaxBodyBytes, 413)
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
		return &auth.Error{Status: 400, Message: "Invalid JSON in request body."}
	}
	return nil
}

func tooLong(what string, size, limit, status int) *auth.Error {
	return &auth.Error{Status: status, Message: fmt.Sprintf("auth: A %s takes %d bytes at most, not %d", what, limit, size)}
}
