package auth_test

import (
	"bytes"
	"errors"
	"testing"

	"drydock/node/auth"
)

func someBook(t testing.TB) *auth.Book {
	return book(t, user("root"), user("u", "r", "s"), role("r", []string{"/*"}, []string{}), auth.Command{Kind: auth.Enable})
}

func TestBadBooksAreRefused(t *testing.T) {
	good := someBook(t).AppendBinary(nil)
	for name, bad := range map[string][]byte{
		"nothing":       nil,
		"a version":     append([]byte{9}, good[1:]...),
		"half on":       append([]byte{1, 2}, good[2:]...),
		"cut":           good[:len(good)-1],
		"more":          append(bytes.Clone(good), 0),
		"no root":       {1, 1, 0, 0},
		"no name":       {1, 0, 1, 0, 0, 0, 0},
		"out of order":  {1, 0, 2, 1, 'b', 0, 0, 1, 'a', 0, 0, 0},
		"twice":         {1, 0, 2, 1, 'a', 0, 0, 1, 'a', 0, 0, 0},
		"role root":     {1, 0, 0, 1, 4, 'r', 'o', 'o', 't', 0, 0},
		"role twice":    {1, 0, 0, 2, 1, 'a', 0, 0, 1, 'a', 0, 0},
		"a slash":       {1, 0, 1, 1, '/', 0, 0, 0},
		"a huge list":   {1, 0, 1, 1, 'a', 0, 0xff, 0xff, 3, 0},
		"a huge number": {1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if _, err := auth.DecodeBook(bad); !errors.Is(err, auth.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := auth.DecodeBook([]byte{1, 0, 1, 1, 'a', 0, 0, 0}); err != nil {
		t.Errorf("what the bad ones were made of: %v", err)
	}
}

func FuzzDecodeBook(f *testing.F) {
	f.Add(someBook(f).AppendBinary(nil))
	f.Add(new(auth.Book).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := auth.DecodeBook(data)
		if err != nil {
			if !errors.Is(err, auth.ErrCorrupt) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := auth.DecodeBook(b.AppendBinary(nil))
		if err != nil || again.Digest() != b.Digest() {
			t.Fatalf("comes back as another: %v", err)
		}
		b.Allows("root", auth.Access{Key: "/"})
	})
}

func FuzzDecodeCommand(f *testing.F) {
	for _, c := range []auth.Command{
		user("root"), user("u", "r"), role("r", []string{"/*"}, nil),
		{Kind: auth.Enable},
		{Kind: auth.UpdateUser, Name: "u", Hash: "x", GrantRoles: []string{"a"}, RevokeRoles: []string{"r"}},
		{Kind: auth.UpdateRole, Name: "r", Grant: auth.Permissions{Write: []string{"/w"}}},
	} {
		f.Add(c.AppendBinary(nil))
	}
	b := someBook(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := auth.DecodeCommand(data)
		if err != nil {
			if !errors.Is(err, auth.ErrCorrupt) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := auth.DecodeCommand(c.AppendBinary(nil))
		if err != nil || !bytes.Equal(again.AppendBinary(nil), c.AppendBinary(nil)) {
			t.Fatalf("comes back as %+v: %v", again, err)
		}
		next, _, err := b.Apply(&c)
		if err != nil {
			if _, ok := errors.AsType[*auth.Error](err); !ok {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if _, err := auth.DecodeBook(next.AppendBinary(nil)); err != nil {
			t.Fatalf("%+v makes a book that can't be read: %v", c, err)
		}
	})
}
