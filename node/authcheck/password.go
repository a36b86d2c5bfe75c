package authcheck

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxPlain is how much of a password bcrypt takes.
	maxPlain = 72
	// maxKnown is how many right passwords are remembered.
	maxKnown = 1024
)

// pair stands for a hash and its password.
type pair [sha256.Size]byte

// passwords makes and checks hashes.
type passwords struct {
	cost    int
	slots   chan struct{} // a place for each hash that is being computed
	waiting atomic.Int64
	most    int64 // that wait or compute
	key     [32]byte
	nobody  func() string // a hash that no password has

	mu    sync.Mutex
	known map[pair]struct{}
	ring  []pair // the known ones, oldest at next
	next  int

	computed, remembered, turnedAway atomic.Uint64
}

func newPasswords(o *Options) *passwords {
	p := &passwords{
		cost: o.Cost, slots: make(chan struct{}, o.Parallel), most: int64(o.Parallel + o.Waiting),
		known: make(map[pair]struct{}),
	}
	random(p.key[:])
	p.nobody = sync.OnceValue(func() string {
		secret := make([]byte, maxPlain)
		random(secret)
		hash, err := bcrypt.GenerateFromPassword(secret, p.cost)
		if err != nil {
			panic(fmt.Sprintf("authcheck: cost %d: %v", p.cost, err))
		}
		return string(hash)
	})
	return p
}

// random fills b; crypto/rand doesn't fail but by ending the process.
func random(b []byte) { _, _ = rand.Read(b) }

// plain is what of a password goes to bcrypt: all of it, or what stands for a
// longer one, so that every byte counts.
func plain(password string) []byte {
	if len(password) <= maxPlain {
		return []byte(password)
	}
	sum := sha256.Sum256([]byte(password))
	return base64.StdEncoding.AppendEncode(nil, sum[:])
}

// hash makes the hash of a new password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	p.computed.Add(1)
	hash, err := bcrypt.GenerateFromPassword(plain(password), p.cost)
	return string(hash), err
}

// check says whether a password has that hash. An empty hash, which stands for a
// user that there isn't, is no password's and takes as long to say so.
func (p *passwords) check(ctx context.Context, hash, password string) (bool, error) {
	id := p.pair(hash, password)
	if p.knows(id) {
		return true, nil
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	// Many requests of one client come at once: the first has done it for all.
	if p.knows(id) {
		return true, nil
	}
	p.computed.Add(1)
	exists := hash != ""
	if !exists {
		hash = p.nobody()
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), plain(password)) != nil || !exists {
		return false, nil
	}
	p.remember(id)
	return true, nil
}

// enter waits for a place to compute in; leave gives it back.
func (p *passwords) enter(ctx context.Context) (leave func(), err error) {
	if p.waiting.Add(1) > p.most {
		p.waiting.Add(-1)
		p.turnedAway.Add(1)
		return nil, errBusy
	}
	select {
	case p.slots <- struct{}{}:
		return func() {
			<-p.slots
			p.waiting.Add(-1)
		}, nil
	case <-ctx.Done():
		p.waiting.Add(-1)
		return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
	}
}

func (p *passwords) pair(hash, password string) (id pair) {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write(binary.AppendUvarint(nil, uint64(len(hash))))
	mac.Write([]byte(hash))
	mac.Write([]byte(password))
	mac.Sum(id[:0])
	return id
}

func (p *passwords) knows(id pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[id]
	if ok {
		p.remembered.Add(1)
	}
	return ok
}

// remember takes the place of the oldest when there is no other.
func (p *passwords) remember(id pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[id]; ok {
		return
	}
	p.known[id] = struct{}{}
	if len(p.ring) < maxKnown {
		p.ring = append(p.ring, id)
		return
	}
	delete(p.known, p.ring[p.next])
	p.ring[p.next] = id
	p.next = (p.next + 1) % maxKnown
}
