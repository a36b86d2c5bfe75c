package auth_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/auth"
)

// book makes a book of commands, none of which may be refused.
func book(t testing.TB, commands ...auth.Command) *auth.Book {
	t.Helper()
	b := new(auth.Book)
	for i := range commands {
		next, _, err := b.Apply(&commands[i])
		if err != nil {
			t.Fatalf("%+v: %v", commands[i], err)
		}
		b = next
	}
	return b
}

func user(name string, roles ...string) auth.Command {
	if len(roles) == 0 {
		return auth.Command{Kind: auth.PutUser, Name: name, Hash: "h"}
	}
	return auth.Command{Kind: auth.CreateUser, Name: name, Hash: "h", Roles: roles}
}

func role(name string, read, write []string) auth.Command {
	return auth.Command{Kind: auth.CreateRole, Name: name, Permissions: auth.Permissions{Read: read, Write: write}}
}

func TestAllows(t *testing.T) {
	b := book(t,
		user("root"), user("admin", "root"), user("nobody"), user("lost", "gone"),
		role("app", []string{"/app/*", "/one"}, []string{"/app/w", "/app/t*"}), user("app", "gone", "app"),
		role("all", []string{"*"}, []string{"*"}), user("all", "all"),
		role("odd", []string{"", "/*/x"}, []string{"/app"}), user("odd", "odd"),
		auth.Command{Kind: auth.Enable},
		auth.Command{Kind: auth.UpdateRole, Name: "guest", Revoke: auth.Permissions{Write: []string{"/*"}}, Grant: auth.Permissions{Read: []string{"/g"}}},
	)
	for _, tc := range []struct {
		user, key        string
		write, recursive bool
		want             bool
	}{
		{"root", "/", true, true, true},
		{"admin", "/any", true, true, true},
		{"nobody", "/any", false, false, false},
		{"lost", "/any", false, false, false},
		{"stranger", "/any", false, false, false},
		{"app", "/app", false, false, false},
		{"app", "/app/", false, false, true},
		{"app", "/app/x", false, false, true},
		{"app", "/application", false, false, false},
		{"app", "/app", false, true, false},
		{"app", "/app/", false, true, true},
		{"app", "/one", false, false, true},
		{"app", "/one", false, true, false},
		{"app", "/one/", false, false, false},
		{"app", "/app/w", true, false, true},
		{"app", "/app/w", true, true, false},
		{"app", "/app/t", true, true, true},
		{"app", "/app/x", true, false, false},
		{"all", "/", true, true, true},
		{"odd", "", false, false, false},
		{"odd", "/", false, false, false},
		{"odd", "/*/x", false, false, true},
		{"odd", "/a/x", false, false, false},
		{"odd", "/app", true, false, true},
		{auth.Guest, "/x", false, false, true},
		{auth.Guest, "/x", false, true, true},
		{auth.Guest, "/g", false, true, true},
		{auth.Guest, "/x", true, false, false},
	} {
		if got := b.Allows(tc.user, auth.Access{Key: tc.key, Write: tc.write, Recursive: tc.recursive}); got != tc.want {
			t.Errorf("%q on %q, write %t, recursive %t: %t, want %t", tc.user, tc.key, tc.write, tc.recursive, got, tc.want)
		}
	}
	for name, want := range map[string]bool{"root": true, "admin": true, "app": false, "all": false, auth.Guest: false, "stranger": false} {
		if got := b.IsRoot(name); got != want {
			t.Errorf("%q is root: %t", name, got)
		}
	}
	off := book(t, user("root"))
	if !off.Allows("stranger", auth.Access{Key: "/", Write: true}) || !off.IsRoot(auth.Guest) {
		t.Error("refused while off")
	}
}

// Guests have no more than their role says, which may be taken away.
func TestGuestWithoutRole(t *testing.T) {
	b := book(t, user("root"), auth.Command{Kind: auth.Enable}, auth.Command{Kind: auth.DeleteRole, Name: "guest"})
	if b.Allows(auth.Guest, auth.Access{Key: "/x"}) {
		t.Error("a guest without a role may read")
	}
	b = book(t, user("root"), role("guest", nil, nil), auth.Command{Kind: auth.Enable})
	if b.Allows(auth.Guest, auth.Access{Key: "/x"}) {
		t.Error("a role that was there was changed by switching on")
	}
}

// Refusals say what the API says, and change nothing. (Conversations with a
// server are in package authcheck.)
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 300)
	many := slices.Repeat([]string{"r"}, 300)
	for name, tc := range map[string]struct {
		c      auth.Command
		status int
		text   string
	}{
		"no user root":          {auth.Command{Kind: auth.Enable}, 409, "auth: No root user available, please create one"},
		"off already":           {auth.Command{Kind: auth.Disable}, 409, "auth: already disabled"},
		"there already":         {user("u", "r"), 409, "auth: User u already exists."},
		"no password":           {auth.Command{Kind: auth.PutUser, Name: "v"}, 400, "auth: Cannot create user v with an empty password"},
		"no such user":          {auth.Command{Kind: auth.UpdateUser, Name: "v", Hash: "h"}, 404, "auth: User v does not exist."},
		"nothing new":           {auth.Command{Kind: auth.UpdateUser, Name: "u"}, 400, "auth: User not updated. Use grant/revoke/password to update the user."},
		"granted already":       {auth.Command{Kind: auth.UpdateUser, Name: "u", GrantRoles: []string{"r"}}, 409, "auth: Granting duplicate role r for user u"},
		"not granted":           {auth.Command{Kind: auth.UpdateUser, Name: "u", RevokeRoles: []string{"s"}}, 409, "auth: Revoking ungranted role s for user u"},
		"nobody to remove":      {auth.Command{Kind: auth.DeleteUser, Name: "v"}, 404, "auth: User v does not exist"},
		"role there already":    {role("r", nil, nil), 409, "auth: Role r already exists."},
		"role root":             {role("root", nil, nil), 403, "auth: Cannot modify role root: is root role."},
		"no role to remove":     {auth.Command{Kind: auth.DeleteRole, Name: "s"}, 404, "auth: Role s doesn't exist."},
		"no role to change":     {auth.Command{Kind: auth.UpdateRole, Name: "s"}, 404, "auth: Role s does not exist."},
		"no kind":               {auth.Command{}, 400, "auth: There is no kind 0 of request"},
		"a kind to come":        {auth.Command{Kind: 99}, 400, "auth: There is no kind 99 of request"},
		"a name too many":       {auth.Command{Kind: auth.Enable, Name: "u"}, 400, "auth: A request to enable names nobody"},
		"a name too long":       {user(long), 400, ""},
		"a name with a slash":   {user("a/b"), 400, ""},
		"a name that is a path": {user(".."), 400, ""},
		"no name":               {user(""), 400, ""},
		"a hash too long":       {auth.Command{Kind: auth.PutUser, Name: "v", Hash: long}, 400, ""},
		"roles beside a grant":  {auth.Command{Kind: auth.UpdateUser, Name: "u", Roles: []string{}}, 400, ""},
		"roles of a put":        {auth.Command{Kind: auth.PutUser, Name: "u", Hash: "h", Roles: []string{"r"}}, 400, ""},
		"permissions of a user": {auth.Command{Kind: auth.DeleteUser, Name: "u", Permissions: auth.Permissions{Read: []string{}}}, 400, ""},
		"a role's hash":         {auth.Command{Kind: auth.CreateRole, Name: "v", Hash: "h"}, 400, ""},
		"too many roles":        {user("v", many...), 400, "auth: A user has at most 256 roles, not 300"},
		"a role's long name":    {user("v", long), 400, ""},
		"too many patterns":     {role("v", slices.Repeat([]string{"/p"}, 1025), nil), 400, "auth: A role has at most 1024 patterns of each kind, not 1025"},
		"a pattern too long":    {role("v", nil, []string{strings.Repeat("p", auth.MaxPatternBytes+1)}), 400, ""},
		"too large":             {role("v", slices.Repeat([]string{strings.Repeat("p", 2000)}, 1000), nil), 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := book(t, user("u", "r"), role("r", nil, nil))
			next, out, err := b.Apply(&tc.c)
			refused, ok := errors.AsType[*auth.Error](err)
			switch {
			case !ok || refused.Status != tc.status || tc.text != "" && refused.Message != tc.text:
				t.Errorf("err = %v", err)
			case next != b || !cmp.Equal(out, auth.Outcome{}):
				t.Error("a refused command had an effect")
			}
		})
	}
}

func TestRootStaysWhileOn(t *testing.T) {
	b := book(t, user("root"), auth.Command{Kind: auth.Enable})
	for _, tc := range []struct {
		c    auth.Command
		want string
	}{
		{auth.Command{Kind: auth.DeleteUser, Name: "root"}, "auth: Cannot delete root user while auth is enabled."},
		{auth.Command{Kind: auth.Enable}, "auth: already enabled"},
	} {
		if _, _, err := b.Apply(&tc.c); err == nil || err.Error() != tc.want {
			t.Errorf("%v: %v", tc.c.Kind, err)
		}
	}
	b, _, err := b.Apply(&auth.Command{Kind: auth.UpdateUser, Name: "root", RevokeRoles: []string{"root"}})
	if err != nil || !b.IsRoot("root") {
		t.Errorf("root lost its role: %v", err)
	}
}

// The whole is bounded, whatever the parts are.
func TestBookIsBounded(t *testing.T) {
	b := new(auth.Book)
	large := slices.Repeat([]string{strings.Repeat("p", 1000)}, 1000)
	for n := range 10 {
		next, _, err := b.Apply(new(role(string(rune('a'+n)), large, nil)))
		if err != nil {
			if len(b.AppendBinary(nil)) > auth.MaxBookBytes || n < 4 {
				t.Fatalf("after %d roles: %v", n, err)
			}
			if _, _, err := b.Apply(&auth.Command{Kind: auth.DeleteRole, Name: "a"}); err != nil {
				t.Fatalf("a full book can't be emptied: %v", err)
			}
			return
		}
		b = next
	}
	t.Error("no bound was met")
}

// names are few, so that commands meet.
var (
	names    = []string{"root", "guest", "a", "b"}
	patterns = []string{"", "*", "/*", "/a", "/a/*"}
)

func drawList(t *rapid.T, of []string, label string) []string {
	if rapid.Bool().Draw(t, label+"?") {
		return nil
	}
	return append([]string{}, rapid.SliceOfN(rapid.SampledFrom(of), 0, 3).Draw(t, label)...)
}

func drawPermissions(t *rapid.T, label string) auth.Permissions {
	return auth.Permissions{Read: drawList(t, patterns, label+" read"), Write: drawList(t, patterns, label+" write")}
}

// drawCommand draws a command that Check takes.
func drawCommand(t *rapid.T) auth.Command {
	c := auth.Command{Kind: auth.Kind(rapid.IntRange(int(auth.CreateUser), int(auth.Disable)).Draw(t, "kind"))}
	if c.Kind < auth.Enable {
		c.Name = rapid.SampledFrom(names).Draw(t, "name")
	}
	switch c.Kind {
	case auth.CreateUser, auth.PutUser, auth.UpdateUser:
		c.Hash = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "hash")
	}
	switch c.Kind {
	case auth.CreateUser:
		c.Roles = drawList(t, names, "roles")
	case auth.UpdateUser:
		c.GrantRoles, c.RevokeRoles = drawList(t, names, "grant"), drawList(t, names, "revoke")
	case auth.CreateRole:
		c.Permissions = drawPermissions(t, "permissions")
	case auth.UpdateRole:
		c.Grant, c.Revoke = drawPermissions(t, "grant"), drawPermissions(t, "revoke")
	}
	return c
}

// Whatever is done, a book comes back from its bytes, its digest tells it from
// the one before, and the one before stays as it was.
func TestBooksAreValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := new(auth.Book)
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			c := drawCommand(t)
			decoded, err := auth.DecodeCommand(c.AppendBinary(nil))
			if err != nil || !cmp.Equal(c, decoded) {
				t.Fatalf("%+v comes back as %+v, %v", c, decoded, err)
			}
			before := b.AppendBinary(nil)
			next, _, err := b.Apply(&c)
			if !bytes.Equal(before, b.AppendBinary(nil)) {
				t.Fatalf("%v changed the book that it was applied to", c.Kind)
			}
			after := next.AppendBinary(nil)
			if (err == nil) == bytes.Equal(before, after) || (err == nil) == (b.Digest() == next.Digest()) {
				t.Fatalf("%+v: err %v, digests %x and %x", c, err, b.Digest(), next.Digest())
			}
			twin, err := auth.DecodeBook(after)
			if err != nil || twin.Digest() != next.Digest() || !bytes.Equal(twin.AppendBinary(nil), after) {
				t.Fatalf("a book comes back as another: %v", err)
			}
			if next.Empty() != (next.Digest() == auth.Digest{}) {
				t.Fatal("the first book, and no other, has no digest")
			}
			if _, root := next.User("root"); next.Enabled() && !root {
				t.Fatal("on without a user root")
			}
			b = next
		}
	})
}
