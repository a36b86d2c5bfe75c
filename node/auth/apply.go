package auth

import (
	"slices"
)

// Outcome is what a command that was not refused came to.
type Outcome struct {
	// Created is set when a user came to be that a PutUser names.
	Created bool
	// User is a changed user as the answer shows it, Role a changed role.
	User User
	Role Role
}

// Apply returns the book after a command. A refused command leaves it as it is;
// the error is an *Error. Apply and equal books give equal books and outcomes.
func (b *Book) Apply(c *Command) (*Book, Outcome, error) {
	if err := c.Check(); err != nil {
		return b, Outcome{}, err
	}
	if b.enabled && c.Unjudged {
		return b, Outcome{}, refuse(401, "Insufficient credentials")
	}
	next := &Book{enabled: b.enabled, users: b.users, roles: b.roles}
	out, err := next.change(c)
	if err != nil {
		return b, Outcome{}, err
	}
	if next.sealed().size > MaxBookBytes {
		return b, Outcome{}, refuse(400, "Users and roles would take %d bytes, more than the %d that are allowed", next.size, MaxBookBytes)
	}
	return next, out, nil
}

// change carries a command out on b, which is nobody else's yet; its lists are.
func (b *Book) change(c *Command) (Outcome, error) {
	switch c.Kind {
	case CreateUser:
		return b.createUser(c)
	case PutUser:
		if _, ok := b.findUser(c.Name); ok {
			return b.updateUser(c)
		}
		out, err := b.createUser(c)
		out.Created = err == nil
		return out, err
	case UpdateUser:
		return b.updateUser(c)
	case DeleteUser:
		return Outcome{}, b.deleteUser(c.Name)
	case CreateRole:
		return b.createRole(&Role{Name: c.Name, Permissions: c.Permissions})
	case UpdateRole:
		return b.updateRole(c)
	case DeleteRole:
		return Outcome{}, b.deleteRole(c.Name)
	case Enable:
		return Outcome{}, b.enable()
	}
	if !b.enabled {
		return Outcome{}, refuse(409, "already disabled")
	}
	b.enabled = false
	return Outcome{}, nil
}

func (b *Book) createUser(c *Command) (Outcome, error) {
	if c.Hash == "" {
		return Outcome{}, refuse(400, "Cannot create user %s with an empty password", c.Name)
	}
	i, ok := b.findUser(c.Name)
	if ok {
		return Outcome{}, refuse(409, "User %s already exists.", c.Name)
	}
	u := &User{Name: c.Name, Hash: c.Hash, Roles: withRoot(c.Name, c.Roles)}
	if err := checkRoles(u.Roles); err != nil {
		return Outcome{}, err
	}
	b.users = slices.Insert(slices.Clone(b.users), i, u)
	return Outcome{User: *u}, nil
}

func (b *Book) updateUser(c *Command) (Outcome, error) {
	i, ok := b.findUser(c.Name)
	if !ok {
		return Outcome{}, NoUser(c.Name)
	}
	old := b.users[i].rooted()
	u := &User{Name: c.Name, Hash: old.Hash}
	if c.Hash != "" {
		u.Hash = c.Hash
	}
	roles := newSet(old.Roles)
	for _, name := range c.GrantRoles {
		if !roles.add(name) {
			return Outcome{}, refuse(409, "Granting duplicate role %s for user %s", name, c.Name)
		}
	}
	for _, name := range c.RevokeRoles {
		if !roles.remove(name) {
			return Outcome{}, refuse(409, "Revoking ungranted role %s for user %s", name, c.Name)
		}
	}
	u.Roles = roles
	switch {
	case u.Hash == old.Hash && sameList(u.Roles, old.Roles):
		return Outcome{}, refuse(400, "User not updated. Use grant/revoke/password to update the user.")
	case len(u.Roles) > MaxRolesOfUser:
		return Outcome{}, checkRoles(u.Roles)
	}
	b.users = slices.Clone(b.users)
	b.users[i] = u
	return Outcome{User: *u}, nil
}

func (b *Book) deleteUser(name string) error {
	if b.enabled && name == RootUser {
		return refuse(403, "Cannot delete root user while auth is enabled.")
	}
	i, ok := b.findUser(name)
	if !ok {
		return refuse(404, "User %s does not exist", name)
	}
	b.users = slices.Delete(slices.Clone(b.users), i, i+1)
	return nil
}

func (b *Book) createRole(r *Role) (Outcome, error) {
	if r.Name == RootRole {
		return Outcome{}, isRoot()
	}
	i, ok := b.findRole(r.Name)
	if ok {
		return Outcome{}, refuse(409, "Role %s already exists.", r.Name)
	}
	b.roles = slices.Insert(slices.Clone(b.roles), i, r)
	return Outcome{Role: *r}, nil
}

func (b *Book) updateRole(c *Command) (Outcome, error) {
	if c.Name == RootRole {
		return Outcome{}, isRoot()
	}
	i, ok := b.findRole(c.Name)
	if !ok {
		return Outcome{}, NoRole(c.Name)
	}
	old := b.roles[i]
	read, write := newSet(old.Read), newSet(old.Write)
	for _, pattern := range c.Grant.Read {
		if !read.add(pattern) {
			return Outcome{}, refuse(409, "Granting duplicate read permission %s", pattern)
		}
	}
	for _, pattern := range c.Grant.Write {
		if !write.add(pattern) {
			return Outcome{}, refuse(409, "Granting duplicate write permission %s", pattern)
		}
	}
	// Unlike a user's roles, what isn't there can be taken away.
	for _, pattern := range c.Revoke.Read {
		read.remove(pattern)
	}
	for _, pattern := range c.Revoke.Write {
		write.remove(pattern)
	}
	r := &Role{Name: c.Name, Permissions: Permissions{Read: read, Write: write}}
	if r.Permissions.equal(old.Permissions) {
		return Outcome{}, refuse(400, "Role not updated. Use grant/revoke to update the role.")
	}
	if err := r.Permissions.check(); err != nil {
		return Outcome{}, err
	}
	b.roles = slices.Clone(b.roles)
	b.roles[i] = r
	return Outcome{Role: *r}, nil
}

func (b *Book) deleteRole(name string) error {
	if name == RootRole {
		return isRoot()
	}
	i, ok := b.findRole(name)
	if !ok {
		return refuse(404, "Role %s doesn't exist.", name)
	}
	b.roles = slices.Delete(slices.Clone(b.roles), i, i+1)
	return nil
}

func (b *Book) enable() error {
	if b.enabled {
		return refuse(409, "already enabled")
	}
	if _, ok := b.findUser(RootUser); !ok {
		return refuse(409, "No root user available, please create one")
	}
	if _, ok := b.findRole(GuestRole); !ok {
		all := rootRole().Permissions
		if _, err := b.createRole(&Role{Name: GuestRole, Permissions: all}); err != nil {
			return err
		}
	}
	b.enabled = true
	return nil
}

func isRoot() *Error { return refuse(403, "Cannot modify role %s: is root role.", RootRole) }

// set is a sorted list without repetitions, never nil.
type set []string

func newSet(list []string) set {
	s := append(set{}, list...)
	slices.Sort(s)
	return slices.Compact(s)
}

// add reports whether s is new.
func (s *set) add(item string) bool {
	i, ok := slices.BinarySearch(*s, item)
	if !ok {
		*s = slices.Insert(*s, i, item)
	}
	return !ok
}

// remove reports whether s was there.
func (s *set) remove(item string) bool {
	i, ok := slices.BinarySearch(*s, item)
	if ok {
		*s = slices.Delete(*s, i, i+1)
	}
	return ok
}
