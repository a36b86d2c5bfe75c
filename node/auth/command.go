package auth

import (
	"fmt"
	"strings"

	"drydock/node/keys"
	"drydock/node/wire"
)

// The bounds of a book and of the commands that change it.
const (
	// MaxNameBytes is the length of the longest name of a user or role.
	MaxNameBytes = 256
	// MaxHashBytes is the length of the longest hash of a password.
	MaxHashBytes = 128
	// MaxRolesOfUser is how many roles a user has at most.
	MaxRolesOfUser = 256
	// MaxPatterns is how many patterns a role has at most for reading, and as
	// many for writing.
	MaxPatterns = 1024
	// MaxPatternBytes is the length of the longest pattern: of a key, a slash and
	// a star.
	MaxPatternBytes = keys.MaxPathBytes + 2
	// MaxBookBytes is the size of the largest book, encoded. The whole book is in
	// every checkpoint.
	MaxBookBytes = 4 << 20
	// MaxCommandBytes bounds an encoded command.
	MaxCommandBytes = 1 << 20
)

// Kind is what a Command does.
type Kind uint8

// The kinds of commands.
const (
	kindInvalid Kind = iota
	// CreateUser makes a user who must not exist.
	CreateUser
	// PutUser makes a user, or gives one that exists another password.
	PutUser
	// UpdateUser changes password and roles of a user who must exist.
	UpdateUser
	// DeleteUser removes a user.
	DeleteUser
	// CreateRole makes a role that must not exist.
	CreateRole
	// UpdateRole changes what a role, which must exist, allows.
	UpdateRole
	// DeleteRole removes a role; users keep its name.
	DeleteRole
	// Enable switches auth on, and Disable off.
	Enable
	Disable
	kindEnd
)

var kindNames = [kindEnd]string{
	"invalid", "create user", "put user", "update user", "delete user",
	"create role", "update role", "delete role", "enable", "disable",
}

// String names the kind as traces print it.
func (k Kind) String() string {
	if k >= kindEnd {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Command is one replicated change, after its request has been decoded. What a
// kind doesn't use is empty.
type Command struct {
	Kind Kind
	// Name is the user's or role's.
	Name string
	// Hash is the bcrypt hash of the new password, or empty: the old one stays.
	Hash string
	// Roles are a new user's.
	Roles []string
	// GrantRoles and RevokeRoles change a user's, in this order.
	GrantRoles, RevokeRoles []string
	// Permissions are a new role's.
	Permissions Permissions
	// Grant and Revoke change a role's, in this order.
	Grant, Revoke Permissions
	// Unjudged says that nobody asked who the caller is, since users were off in
	// the copy of the member that took the command. Where they are on by then, it
	// is refused: a member that lags must not let in whom the others would not.
	Unjudged bool
}

// AppendBinary appends the command's encoding to b.
func (c *Command) AppendBinary(b []byte) []byte {
	b = append(b, byte(c.Kind))
	b = wire.AppendString(b, c.Name)
	b = wire.AppendString(b, c.Hash)
	for _, list := range [...][]string{c.Roles, c.GrantRoles, c.RevokeRoles} {
		b = appendList(b, list)
	}
	for _, p := range [...]Permissions{c.Permissions, c.Grant, c.Revoke} {
		b = appendPermissions(b, p)
	}
	if c.Unjudged {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodeCommand reads what AppendBinary wrote. It refuses every command that
// Check refuses; its errors match ErrCorrupt.
func DecodeCommand(b []byte) (Command, error) {
	r := wire.NewReader(b)
	c := Command{Kind: Kind(r.Byte("kind")), Name: r.String("name", MaxNameBytes), Hash: r.String("hash", MaxHashBytes)}
	for _, list := range [...]*[]string{&c.Roles, &c.GrantRoles, &c.RevokeRoles} {
		*list = readList(r, "roles", MaxRolesOfUser, MaxNameBytes)
	}
	for _, p := range [...]*Permissions{&c.Permissions, &c.Grant, &c.Revoke} {
		*p = readPermissions(r)
	}
	switch r.Byte("unjudged") {
	case 0:
	case 1:
		c.Unjudged = true
	default:
		r.Fail("unjudged", "neither 0 nor 1")
	}
	if err := r.Done("auth command"); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := c.Check(); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return c, nil
}

// Check says why no book takes the command, whatever is in it; nil if that
// depends on the book. The error is an *Error.
func (c *Command) Check() error {
	if err := c.checkUse(); err != nil {
		return err
	}
	if len(c.Hash) > MaxHashBytes {
		return refuse(400, "The hash of a password takes %d bytes at most, not %d", MaxHashBytes, len(c.Hash))
	}
	for _, list := range [...][]string{c.Roles, c.GrantRoles, c.RevokeRoles} {
		if err := checkRoles(list); err != nil {
			return err
		}
	}
	for _, p := range [...]Permissions{c.Permissions, c.Grant, c.Revoke} {
		if err := p.check(); err != nil {
			return err
		}
	}
	// The bounds of the lists alone would allow more than a log's entry takes.
	if n := len(c.AppendBinary(nil)); n > MaxCommandBytes {
		return refuse(400, "The request takes %d bytes, more than the %d that are allowed", n, MaxCommandBytes)
	}
	return nil
}

// checkUse says whether the kind is known and what it doesn't use is empty.
func (c *Command) checkUse() error {
	k := c.Kind
	named := k >= CreateUser && k <= DeleteRole
	hashed := k == CreateUser || k == PutUser || k == UpdateUser
	switch {
	case k == kindInvalid || k >= kindEnd:
		return refuse(400, "There is no kind %d of request", uint8(k))
	case !named && c.Name != "":
		return refuse(400, "A request to %v names nobody", k)
	case named && !ValidName(c.Name):
		return refuse(400, "A name has 1 to %d bytes and no slash, unlike %.*q", MaxNameBytes, MaxNameBytes, c.Name)
	case c.Hash != "" && !hashed,
		c.Roles != nil && k != CreateUser && k != PutUser,
		k == PutUser && len(c.Roles) > 0,
		(c.GrantRoles != nil || c.RevokeRoles != nil) && k != UpdateUser,
		!c.Permissions.equal(Permissions{}) && k != CreateRole,
		(!c.Grant.equal(Permissions{}) || !c.Revoke.equal(Permissions{})) && k != UpdateRole:
		return refuse(400, "A request to %v says what doesn't belong to it", k)
	}
	return nil
}

// ValidName reports whether s may be the name of a user or role.
func ValidName(s string) bool {
	return s != "" && len(s) <= MaxNameBytes && s != "." && s != ".." && !strings.Contains(s, "/")
}

// checkRoles checks the names of roles, which need not be names that a role may
// have: granting an empty one is possible in the original.
func checkRoles(list []string) error {
	if len(list) > MaxRolesOfUser {
		return refuse(400, "A user has at most %d roles, not %d", MaxRolesOfUser, len(list))
	}
	for _, name := range list {
		if len(name) > MaxNameBytes {
			return refuse(400, "The name of a role takes %d bytes at most, not %d", MaxNameBytes, len(name))
		}
	}
	return nil
}

func (p Permissions) check() error {
	for _, list := range [...][]string{p.Read, p.Write} {
		if len(list) > MaxPatterns {
			return refuse(400, "A role has at most %d patterns of each kind, not %d", MaxPatterns, len(list))
		}
		for _, pattern := range list {
			if len(pattern) > MaxPatternBytes {
				return refuse(400, "A pattern takes %d bytes at most, not %d", MaxPatternBytes, len(pattern))
			}
		}
	}
	return nil
}
