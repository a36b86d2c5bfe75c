package auth

import (
	"cmp"
	"slices"
	"strings"
)

// Names that the rules know.
const (
	// RootUser is the user without whom auth can't be switched on.
	RootUser = "root"
	// RootRole allows everything.
	RootRole = "root"
	// GuestRole is the role of who gives no credentials.
	GuestRole = "guest"
	// Guest, as a user's name, is who gives no credentials.
	Guest = ""

	everything = "/*"
)

// Permissions are the patterns that may be read and written. The API tells a
// list that was never given from an empty one, so nil differs from empty here.
type Permissions struct {
	Read, Write []string
}

// Empty says whether nothing may be read or written.
func (p Permissions) Empty() bool { return len(p.Read) == 0 && len(p.Write) == 0 }

func (p Permissions) equal(q Permissions) bool {
	return sameList(p.Read, q.Read) && sameList(p.Write, q.Write)
}

func sameList(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// User is one user. It never changes.
type User struct {
	Name string
	// Hash is the bcrypt hash of the password.
	Hash string
	// Roles are names; there need not be such roles.
	Roles []string
}

// Role is one role. It never changes.
type Role struct {
	Name string
	Permissions
}

// Book is all users and roles, and whether they count. It never changes; the
// zero value is the book of a new cluster.
type Book struct {
	enabled bool
	users   []*User // by name
	roles   []*Role // by name, without the built-in one
	size    int     // bytes of the encoding; 0 while it is the first book
	digest  Digest
}

// Enabled says whether auth is on.
func (b *Book) Enabled() bool { return b.enabled }

// Empty says whether the book is that of a new cluster.
func (b *Book) Empty() bool { return !b.enabled && len(b.users) == 0 && len(b.roles) == 0 }

// User returns a user, with the role that the user root always has.
func (b *Book) User(name string) (User, bool) {
	i, ok := b.findUser(name)
	if !ok {
		return User{}, false
	}
	return b.users[i].rooted(), true
}

// Users returns all users in order of name, as User does each.
func (b *Book) Users() []User {
	list := make([]User, len(b.users))
	for i, u := range b.users {
		list[i] = u.rooted()
	}
	return list
}

// Role returns a role.
func (b *Book) Role(name string) (Role, bool) {
	if name == RootRole {
		return rootRole(), true
	}
	i, ok := b.findRole(name)
	if !ok {
		return Role{}, false
	}
	return *b.roles[i], true
}

// Roles returns all roles in order of name, the built-in one among them.
func (b *Book) Roles() []Role {
	list := make([]Role, 0, len(b.roles)+1)
	for _, r := range b.roles {
		list = append(list, *r)
	}
	i, _ := b.findRole(RootRole)
	return slices.Insert(list, i, rootRole())
}

func rootRole() Role {
	return Role{Name: RootRole, Permissions: Permissions{Read: []string{everything}, Write: []string{everything}}}
}

// Access is what a request wants to do with the keyspace.
type Access struct {
	// Key is the key as the request spelt it, with the slash at its end if it
	// had one; "/" is the root.
	Key string
	// Write is set for all that is no read or watch.
	Write bool
	// Recursive is set when what is below the key is meant as well.
	Recursive bool
}

// Allows says whether a user, or Guest, may do a. Who is not in the book may not,
// unless auth is off.
func (b *Book) Allows(user string, a Access) bool {
	if !b.enabled {
		return true
	}
	if user == Guest {
		role, ok := b.Role(GuestRole)
		a.Recursive = false
		return ok && role.allows(a)
	}
	u, ok := b.User(user)
	return ok && slices.ContainsFunc(u.Roles, func(name string) bool {
		role, ok := b.Role(name)
		return ok && role.allows(a)
	})
}

// IsRoot says whether a user may see and change users, roles and members.
// Everybody may while auth is off.
func (b *Book) IsRoot(user string) bool {
	if !b.enabled {
		return true
	}
	u, ok := b.User(user)
	return ok && slices.Contains(u.Roles, RootRole)
}

func (r *Role) allows(a Access) bool {
	if r.Name == RootRole {
		return true
	}
	list := r.Read
	if a.Write {
		list = r.Write
	}
	return slices.ContainsFunc(list, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		if isPrefix {
			return strings.HasPrefix(a.Key, prefix)
		}
		return pattern != "" && !a.Recursive && a.Key == pattern
	})
}

// rooted is the user as others see it.
func (u *User) rooted() User {
	v := *u
	v.Roles = withRoot(v.Name, v.Roles)
	return v
}

// withRoot adds the role root to the user root's roles.
func withRoot(user string, roles []string) []string {
	if user != RootUser || slices.Contains(roles, RootRole) {
		return roles
	}
	return append(slices.Clip(roles), RootRole)
}

func (b *Book) findUser(name string) (int, bool) {
	return slices.BinarySearchFunc(b.users, name, func(u *User, name string) int { return cmp.Compare(u.Name, name) })
}

func (b *Book) findRole(name string) (int, bool) {
	return slices.BinarySearchFunc(b.roles, name, func(r *Role, name string) int { return cmp.Compare(r.Name, name) })
}
