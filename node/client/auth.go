package client

import (
	"context"
	"net/http"
)

// User is a user and the roles it was granted.
type User struct {
	Name  string `json:"user"`
	Roles []Role `json:"roles"`
}

// Role is a set of permissions.
type Role struct {
	Name        string      `json:"role"`
	Permissions Permissions `json:"permissions"`
}

// Permissions are what a role allows.
type Permissions struct {
	KV Paths `json:"kv"`
}

// Paths are keys, or prefixes where a star ends them, that may be read or written.
type Paths struct {
	Read  []string `json:"read"`
	Write []string `json:"write"`
}

// userChange is what the API takes for a user.
type userChange struct {
	User     string   `json:"user"`
	Password string   `json:"password,omitempty"`
	Grant    []string `json:"grant,omitempty"`
	Revoke   []string `json:"revoke,omitempty"`
}

// roleChange is what the API takes for a role.
type roleChange struct {
	Role   string       `json:"role"`
	Grant  *Permissions `json:"grant,omitempty"`
	Revoke *Permissions `json:"revoke,omitempty"`
}

// Users lists the users with their roles.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var list struct {
		Users []User `json:"users"`
	}
	err := c.json(ctx, http.MethodGet, "/v2/auth/users", nil, &list)
	return list.Users, err
}

// User returns one user.
func (c *Client) User(ctx context.Context, name string) (*User, error) {
	u := &User{}
	if err := c.json(ctx, http.MethodGet, userPath(name), nil, u); err != nil {
		return nil, err
	}
	return u, nil
}

// AddUser makes a user, or gives it another password if it is there.
func (c *Client) AddUser(ctx context.Context, name, password string) error {
	return c.json(ctx, http.MethodPut, userPath(name), userChange{User: name, Password: password}, nil)
}

// RemoveUser removes a user.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	return c.json(ctx, http.MethodDelete, userPath(name), nil, nil)
}

// GrantUser gives a user roles.
func (c *Client) GrantUser(ctx context.Context, name string, roles []string) error {
	return c.json(ctx, http.MethodPut, userPath(name), userChange{User: name, Grant: roles}, nil)
}

// RevokeUser takes roles from a user.
func (c *Client) RevokeUser(ctx context.Context, name string, roles []string) error {
	return c.json(ctx, http.MethodPut, userPath(name), userChange{User: name, Revoke: roles}, nil)
}

// Roles lists the roles.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	var list struct {
		Roles []Role `json:"roles"`
	}
	err := c.json(ctx, http.MethodGet, "/v2/auth/roles", nil, &list)
	return list.Roles, err
}

// Role returns one role.
func (c *Client) Role(ctx context.Context, name string) (*Role, error) {
	r := &Role{}
	if err := c.json(ctx, http.MethodGet, rolePath(name), nil, r); err != nil {
		return nil, err
	}
	return r, nil
}

// AddRole makes a role without permissions.
func (c *Client) AddRole(ctx context.Context, name string) error {
	return c.json(ctx, http.MethodPut, rolePath(name), roleChange{Role: name}, nil)
}

// RemoveRole removes a role.
func (c *Client) RemoveRole(ctx context.Context, name string) error {
	return c.json(ctx, http.MethodDelete, rolePath(name), nil, nil)
}

// GrantRole adds permissions to a role.
func (c *Client) GrantRole(ctx context.Context, name string, p Paths) error {
	return c.json(ctx, http.MethodPut, rolePath(name), roleChange{Role: name, Grant: &Permissions{KV: p}}, nil)
}

// RevokeRole takes permissions from a role.
func (c *Client) RevokeRole(ctx context.Context, name string, p Paths) error {
	return c.json(ctx, http.MethodPut, rolePath(name), roleChange{Role: name, Revoke: &Permissions{KV: p}}, nil)
}

// AuthEnabled tells whether logins are asked for.
func (c *Client) AuthEnabled(ctx context.Context) (bool, error) {
	var state struct {
		Enabled bool `json:"enabled"`
	}
	err := c.json(ctx, http.MethodGet, "/v2/auth/enable", nil, &state)
	return state.Enabled, err
}

// SetAuth turns the asking for logins on or off.
func (c *Client) SetAuth(ctx context.Context, on bool) error {
	method := http.MethodDelete
	if on {
		method = http.MethodPut
	}
	return c.json(ctx, method, "/v2/auth/enable", nil, nil)
}

func userPath(name string) string { return "/v2/auth/users/" + name }

func rolePath(name string) string { return "/v2/auth/roles/" + name }
