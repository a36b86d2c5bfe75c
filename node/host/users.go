package host

import (
	"context"
	"sync/atomic"

	"drydock/node"
	"drydock/node/auth"
	"drydock/node/state"
)

// users holds the book of users for other goroutines than the reactor's.
type users struct {
	// book is nil until all is applied that was known to be committed at boot: a
	// member must not serve by a book that it knows to be old.
	book atomic.Pointer[auth.Book]
	// known is the index of the last entry known to be committed at boot.
	known uint64
}

// begin is called before the reactor's goroutine starts.
func (u *users) begin(n *node.Node) {
	u.known = n.View().Committed
	u.follow(n.State())
}

// follow is called when the state may have changed.
func (u *users) follow(s *state.State) {
	book := s.Auth()
	if applied, _ := s.Applied(); applied < u.known || book == u.book.Load() {
		return
	}
	u.book.Store(book)
}

// Book returns users and roles as this member has them now. It is nil for the
// moment in which a member that was started reads what its log holds.
func (h *Host) Book() *auth.Book { return h.users.book.Load() }

// Auth proposes a change of users or roles and waits for the outcome. If the
// answer's Refusal is nil and its status done, Auth says what came of it, and
// Book has it.
func (h *Host) Auth(ctx context.Context, c *auth.Command) node.Answer {
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.ChangeAuth{Token: token, Command: c})
}
