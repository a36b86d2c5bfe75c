package auth

import (
	"crypto/sha256"
	"fmt"

	"drydock/node/wire"
)

// Digest stands for a book: equal books have equal ones. The first book's is
// zero.
type Digest [16]byte

// Digest returns the book's digest. It costs nothing.
func (b *Book) Digest() Digest { return b.digest }

// bookVersion is the first byte of an encoded book.
const bookVersion = 1

// AppendBinary appends the book's encoding to dst.
func (b *Book) AppendBinary(dst []byte) []byte {
	dst = append(dst, bookVersion, 0)
	if b.enabled {
		dst[len(dst)-1] = 1
	}
	dst = wire.AppendUint(dst, uint64(len(b.users)))
	for _, u := range b.users {
		dst = wire.AppendString(dst, u.Name)
		dst = wire.AppendString(dst, u.Hash)
		dst = appendList(dst, u.Roles)
	}
	dst = wire.AppendUint(dst, uint64(len(b.roles)))
	for _, r := range b.roles {
		dst = wire.AppendString(dst, r.Name)
		dst = appendPermissions(dst, r.Permissions)
	}
	return dst
}

// sealed completes a book that was just made.
func (b *Book) sealed() *Book {
	b.size, b.digest = 0, Digest{}
	if !b.Empty() {
		encoded := b.AppendBinary(nil)
		sum := sha256.Sum256(encoded)
		b.size, b.digest = len(encoded), Digest(sum[:16])
	}
	return b
}

// DecodeBook reads what AppendBinary wrote. Its errors match ErrCorrupt.
func DecodeBook(data []byte) (*Book, error) {
	b, err := readBook(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return b.sealed(), nil
}

func readBook(data []byte) (*Book, error) {
	r := wire.NewReader(data)
	if v := r.Byte("version"); r.Err() == nil && v != bookVersion {
		return nil, fmt.Errorf("version %d, this release reads %d", v, bookVersion)
	}
	b := &Book{}
	switch on := r.Byte("enabled"); on {
	case 0, 1:
		b.enabled = on == 1
	default:
		r.Fail("enabled", "neither on nor off")
	}
	for n := r.Count("users", MaxBookBytes); n > 0 && r.Err() == nil; n-- {
		u := &User{Name: r.String("user.name", MaxNameBytes), Hash: r.String("user.hash", MaxHashBytes)}
		u.Roles = readList(r, "user.roles", MaxRolesOfUser, MaxNameBytes)
		if last := len(b.users) - 1; !ValidName(u.Name) || last >= 0 && b.users[last].Name >= u.Name {
			r.Fail("user.name", "not a name, or not in order")
		}
		b.users = append(b.users, u)
	}
	for n := r.Count("roles", MaxBookBytes); n > 0 && r.Err() == nil; n-- {
		role := &Role{Name: r.String("role.name", MaxNameBytes), Permissions: readPermissions(r)}
		last := len(b.roles) - 1
		if !ValidName(role.Name) || role.Name == RootRole || last >= 0 && b.roles[last].Name >= role.Name {
			r.Fail("role.name", "not a name, or not in order")
		}
		b.roles = append(b.roles, role)
	}
	if _, ok := b.findUser(RootUser); b.enabled && !ok {
		r.Fail("users", "on without a user root")
	}
	if len(data) > MaxBookBytes {
		r.Fail("book", fmt.Sprintf("%d bytes, at most %d", len(data), MaxBookBytes))
	}
	return b, r.Done("book")
}

// appendList appends a list, with nil told from empty.
func appendList(b []byte, list []string) []byte {
	if list == nil {
		return append(b, 0)
	}
	b = wire.AppendUint(b, uint64(len(list))+1)
	for _, s := range list {
		b = wire.AppendString(b, s)
	}
	return b
}

func readList(r *wire.Reader, field string, limit, each int) []string {
	// Counted with itself, a list of n has a count of n+1.
	n := r.Uint(field)
	if n == 0 {
		return nil
	}
	if n--; n > uint64(limit) || n > uint64(r.Len()) {
		r.Fail(field, fmt.Sprintf("%d items, beyond the limit %d or what is left", n, limit))
		return nil
	}
	list := make([]string, 0, n)
	for ; n > 0 && r.Err() == nil; n-- {
		list = append(list, r.String(field, each))
	}
	return list
}

func appendPermissions(b []byte, p Permissions) []byte {
	return appendList(appendList(b, p.Read), p.Write)
}

func readPermissions(r *wire.Reader) Permissions {
	read := readList(r, "read", MaxPatterns, MaxPatternBytes)
	return Permissions{Read: read, Write: readList(r, "write", MaxPatterns, MaxPatternBytes)}
}
