package state

import (
	"drydock/node/auth"
	"drydock/node/wire"
)

// Auth returns the users and roles as they are now. A book never changes: it may
// be kept, and handed to other goroutines; after a change there is another.
func (s *State) Auth() *auth.Book {
	if s.auth == nil {
		s.auth = new(auth.Book)
	}
	return s.auth
}

// applyAuth applies a KindAuth; the error says why it has no effect.
func (s *State) applyAuth(c *auth.Command, res *Result) error {
	if err := s.Allows(KindAuth); err != nil {
		return err
	}
	book, out, err := s.Auth().Apply(c)
	if err != nil {
		return err
	}
	s.auth, res.Auth = book, &out
	return nil
}

// appendAuth appends the book to a description. The first book leaves no trace,
// so that a cluster without users has the bytes that it always had.
func (s *State) appendAuth(b []byte) []byte {
	if s.Auth().Empty() {
		return b
	}
	return wire.AppendSized(b, s.auth.AppendBinary)
}

// readAuth reads what appendAuth wrote; it is the last thing in a description.
func (s *State) readAuth(r *wire.Reader) {
	if r.Err() != nil || r.Len() == 0 {
		return
	}
	book, err := auth.DecodeBook(r.Bytes("users", auth.MaxBookBytes))
	switch {
	case r.Err() != nil:
	case err != nil:
		r.Fail("users", err.Error())
	case book.Empty():
		r.Fail("users", "the first book is not stored")
	default:
		s.auth = book
	}
}
