package auth

import "testing"

// TestUnjudged: who was let in by a member that did not know yet that users are on
// changes nothing.
func TestUnjudged(t *testing.T) {
	b := new(Book)
	for _, c := range []Command{
		{Kind: PutUser, Name: "root", Hash: "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234", Unjudged: true},
		{Kind: Enable, Unjudged: true},
	} {
		next, _, err := b.Apply(&c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		b = next
	}
	for _, c := range []Command{{Kind: Disable}, {Kind: PutUser, Name: "eve", Hash: "$2a$04$x"}} {
		c.Unjudged = true
		read, err := DecodeCommand(c.AppendBinary(nil))
		if err != nil || !read.Unjudged {
			t.Fatalf("%+v was read as %+v, %v", c, read, err)
		}
		next, _, err := b.Apply(&read)
		if refusal, ok := err.(*Error); !ok || refusal.Status != 401 || next != b {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, _, err := b.Apply(&Command{Kind: Disable}); err != nil {
		t.Errorf("judged: %v", err)
	}
	c := Command{Kind: Disable}
	bytes := c.AppendBinary(nil)
	bytes[len(bytes)-1] = 2
	if _, err := DecodeCommand(bytes); err == nil {
		t.Error("a flag of 2 was read")
	}
}
