package authcheck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func testPasswords(parallel, waiting int) *passwords {
	return newPasswords(&Options{Cost: 4, Parallel: parallel, Waiting: waiting})
}

func mustHash(t *testing.T, p *passwords, password string) string {
	t.Helper()
	hash, err := p.hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestCheck(t *testing.T) {
	p := testPasswords(2, 2)
	long := strings.Repeat("long ", 30)
	for _, tc := range []struct{ password, wrong string }{
		{"word", "Word"},
		{"word", ""},
		{"word", "word\x00"},
		{"with:colon and \x00 zero", "with:colon and "},
		{strings.Repeat("x", maxPlain), strings.Repeat("x", maxPlain-1)},
		// What bcrypt alone would not tell apart.
		{strings.Repeat("x", maxPlain) + "a", strings.Repeat("x", maxPlain) + "b"},
		{strings.Repeat("x", maxPlain) + "a", strings.Repeat("x", maxPlain)},
		{long, long + "!"},
	} {
		hash := mustHash(t, p, tc.password)
		for password, want := range map[string]bool{tc.password: true, tc.wrong: false} {
			for range 2 { // the second time it may be remembered
				if got, err := p.check(t.Context(), hash, password); err != nil || got != want {
					t.Errorf("%q for %q: %t, %v", password, tc.password, got, err)
				}
			}
		}
	}
	for _, hash := range []string{"", "no hash", "$2a$99$x"} {
		if got, err := p.check(t.Context(), hash, ""); got || err != nil {
			t.Errorf("hash %q: %t, %v", hash, got, err)
		}
	}
}

// Only what was right is remembered, and a new password makes the old one's
// place worthless.
func TestRememberedAndNot(t *testing.T) {
	p := testPasswords(1, 0)
	hash := mustHash(t, p, "right")
	for _, tc := range []struct {
		hash, password string
		computes       uint64
	}{
		{hash, "right", 1},
		{hash, "right", 0},
		{hash, "wrong", 1},
		{hash, "wrong", 1},
		{mustHash(t, p, "new"), "right", 1},
		{"", "right", 1},
		{"", "right", 1},
	} {
		before := p.computed.Load()
		if _, err := p.check(t.Context(), tc.hash, tc.password); err != nil {
			t.Fatal(err)
		}
		if n := p.computed.Load() - before; n != tc.computes {
			t.Errorf("%q for %.10q computed %d hashes, want %d", tc.password, tc.hash, n, tc.computes)
		}
	}
	if p.remembered.Load() != 1 {
		t.Errorf("remembered %d times", p.remembered.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	p := testPasswords(1, 1)
	first := p.pair("h", "0")
	for i := range maxKnown + 10 {
		p.remember(p.pair("h", fmt.Sprint(i)))
		p.remember(p.pair("h", fmt.Sprint(i)))
	}
	if len(p.known) != maxKnown || len(p.ring) != maxKnown || p.knows(first) || !p.knows(p.pair("h", "10")) {
		t.Errorf("%d known, %d in the ring", len(p.known), len(p.ring))
	}
	if p.pair("ab", "c") == p.pair("a", "bc") {
		t.Error("a hash and its password run into each other")
	}
}

// Beyond what may compute and wait, requests are sent away; who gives up waiting
// leaves its place.
func TestPlacesAreBounded(t *testing.T) {
	p := testPasswords(1, 1)
	leave, err := p.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var waiter sync.WaitGroup
	waiter.Go(func() {
		if _, err := p.hash(ctx, "x"); !errors.Is(err, errBusy) || !errors.Is(err, context.Canceled) {
			t.Errorf("gave up waiting: %v", err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); p.waiting.Load() < 2; {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	if _, err := p.check(t.Context(), "h", "x"); !errors.Is(err, errLater) {
		t.Errorf("beyond the bound: %v", err)
	}
	if n := p.turnedAway.Load(); n != 1 {
		t.Errorf("%d were turned away", n)
	}
	giveUp()
	waiter.Wait()
	leave()
	if _, err := p.hash(t.Context(), "x"); err != nil || p.waiting.Load() != 0 {
		t.Errorf("%v, %d wait", err, p.waiting.Load())
	}
}

// Many requests with one password cost one hash.
func TestOneHashForMany(t *testing.T) {
	p := testPasswords(1, 100)
	hash := mustHash(t, p, "right")
	before := p.computed.Load()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if ok, err := p.check(t.Context(), hash, "right"); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
	all.Wait()
	if n := p.computed.Load() - before; n != 1 {
		t.Errorf("%d hashes", n)
	}
}
