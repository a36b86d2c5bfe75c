package host_test

import (
	"errors"
	"testing"
	"time"

	"drydock/node/auth"
	"drydock/node/consensus"
	"drydock/node/host"
)

// waitBook waits until the host has a book that is as wanted.
func waitBook(t *testing.T, h *host.Host, want func(*auth.Book) bool) *auth.Book {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		b := h.Book()
		if b != nil && want(b) {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatal("the book is not as wanted within 10s")
		}
		select {
		case <-h.Done():
			t.Fatal(h.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// change proposes until the cluster's release allows it: a new cluster is raised
// by its leader.
func change(t *testing.T, h *host.Host, c auth.Command) (*auth.Outcome, error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		a := h.Auth(t.Context(), &c)
		refused := (*auth.Error)(nil)
		switch {
		case a.Status == consensus.Done && a.Refusal == nil:
			return a.Auth, nil
		case errors.As(a.Refusal, &refused):
			return nil, refused
		case time.Now().After(deadline):
			t.Fatalf("%v: %s, %v", a.Status, a.Reason, a.Refusal)
		}
		select {
		case <-h.Done():
			t.Fatal(h.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestUsersSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	h, stop := start(t, dir)
	if b := waitBook(t, h, func(*auth.Book) bool { return true }); !b.Empty() {
		t.Fatal("a new cluster has users")
	}
	out, err := change(t, h, auth.Command{Kind: auth.PutUser, Name: "root", Hash: "hash"})
	if err != nil || !out.Created || len(out.User.Roles) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if u, ok := h.Book().User("root"); !ok || u.Hash != "hash" {
		t.Fatal("the answer came before the change")
	}
	before := h.Book()
	if _, err := change(t, h, auth.Command{Kind: auth.DeleteRole, Name: "none"}); err == nil {
		t.Fatal("a role that isn't there was removed")
	}
	if h.Book() != before {
		t.Error("a refused change made another book")
	}
	if _, err := change(t, h, auth.Command{Kind: auth.DeleteUser, Name: "no/name"}); err == nil {
		t.Fatal("a name that can't be was removed")
	}
	if _, err := change(t, h, auth.Command{Kind: auth.Enable}); err != nil || !h.Book().Enabled() {
		t.Fatal(err)
	}
	digest := h.Book().Digest()
	stop()
	h, _ = start(t, dir)
	// The log knows all but perhaps its last entry to be committed: the first book
	// that is shown is not that of the checkpoint.
	if b := waitBook(t, h, func(*auth.Book) bool { return true }); b.Empty() {
		t.Error("a restarted member went by an old book")
	}
	waitBook(t, h, func(b *auth.Book) bool { return b.Enabled() && b.Digest() == digest })
}
