package authcheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/auth/face"
	"drydock/node/keys"
)

// Options are what a Guard is given. Zero fields get their default.
type Options struct {
	// Cluster is the cluster's id, which answers show.
	Cluster uint64
	// Cost is bcrypt's: each more doubles the time (default 10, 4 to 31).
	Cost int
	// Parallel is how many hashes are computed at a time (default half of the
	// processors), Waiting how many requests wait for theirs (default 256).
	Parallel, Waiting int
	// Wait is how long a request waits for its hash at most (default 5 s).
	Wait time.Duration
	// CertUsers takes the common name of a verified client certificate for the
	// user, if there is a user of that name and no Authorization header.
	CertUsers bool

	_ struct{}
}

func (o *Options) setDefaults() {
	if o.Cost == 0 {
		o.Cost = bcrypt.DefaultCost
	}
	o.Cost = min(max(o.Cost, bcrypt.MinCost), bcrypt.MaxCost)
	if o.Parallel == 0 {
		o.Parallel = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.Waiting == 0 {
		o.Waiting = 256
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
}

// Guard says who may do what. Its methods may be called by many at once.
type Guard struct {
	book      func() *auth.Book
	passwords *passwords
	options   Options
	refused   atomic.Uint64
}

// New makes a Guard; book returns the users as they are now, or nil while that is
// not known yet, and must not block.
func New(book func() *auth.Book, o Options) *Guard {
	o.setDefaults()
	return &Guard{book: book, passwords: newPasswords(&o), options: o}
}

// Counts are numbers of things since the start.
type Counts struct {
	// Hashes were computed; Remembered were found among those that were right
	// before.
	Hashes, Remembered uint64
	// TurnedAway were not looked at, because too many waited for that.
	TurnedAway uint64
	// Refused requests lacked credentials or permission.
	Refused uint64
}

// Counts returns the numbers of now.
func (g *Guard) Counts() Counts {
	return Counts{
		Hashes: g.passwords.computed.Load(), Remembered: g.passwords.remembered.Load(),
		TurnedAway: g.passwords.turnedAway.Load(), Refused: g.refused.Load(),
	}
}

// Open says whether there are no users to tell apart: Keys and Admin then allow
// everything.
func (g *Guard) Open() bool { return open(g.book()) }

func open(b *auth.Book) bool { return b != nil && !b.Enabled() }

// Keys judges a call on the keyspace. It returns nil, or the answer to a client
// of the keys API that must not go on. It may take as long as a password takes.
func (g *Guard) Keys(r *http.Request, call *api.Call) *api.Response {
	b := g.book()
	if open(b) {
		return nil
	}
	user, err := g.who(r, b)
	meta := api.Meta{ClusterID: g.options.Cluster}
	switch {
	case errors.Is(err, errLater):
		resp := api.EncodeFailure(call, api.Refused, err.Error(), meta)
		return &resp
	case err == nil && b.Allows(user, access(r, call)):
		return nil
	}
	g.refused.Add(1)
	refusal := &keys.Error{Code: keys.CodeUnauthorized, Cause: "Insufficient credentials"}
	resp := api.Encode(call, nil, refusal, meta, keys.Stamp{})
	return &resp
}

// Admin judges a request that is for users with the role root, to whatever API
// but the keyspace's. It returns nil, or the answer.
func (g *Guard) Admin(r *http.Request) *api.Response {
	b := g.book()
	if open(b) {
		return nil
	}
	user, err := g.who(r, b)
	switch {
	case errors.Is(err, errLater):
		resp := face.Later(err)
		return &resp
	case err == nil && b.IsRoot(user):
		return nil
	}
	g.refused.Add(1)
	resp := face.Unauthorized()
	return &resp
}

var (
	// errLater is matched when it can't be known now who sends a request.
	errLater = errors.New("authcheck: try again")
	// errBusy says that too many passwords wait to be looked at.
	errBusy = fmt.Errorf("%w: too many passwords are being checked", errLater)
	// errStarting says that there is no book yet.
	errStarting = fmt.Errorf("%w: this member has not read its log yet", errLater)
	// errNobody says that credentials are wrong or can't be read.
	errNobody = errors.New("authcheck: no such user and password")
)

// who says who sends a request: a user of the book, or auth.Guest.
func (g *Guard) who(r *http.Request, b *auth.Book) (string, error) {
	if b == nil {
		return auth.Guest, errStarting
	}
	if r.Header.Get("Authorization") == "" {
		return g.certified(r, b), nil
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return auth.Guest, errNobody
	}
	u, _ := b.User(name) // the hash of nobody is empty
	ctx, cancel := context.WithTimeout(r.Context(), g.options.Wait)
	defer cancel()
	right, err := g.passwords.check(ctx, u.Hash, password)
	switch {
	case err != nil:
		return auth.Guest, err
	case !right:
		return auth.Guest, errNobody
	}
	return name, nil
}

// certified is the user that a request's certificate names, or auth.Guest.
func (g *Guard) certified(r *http.Request, b *auth.Book) string {
	if !g.options.CertUsers || r.TLS == nil {
		return auth.Guest
	}
	for _, chain := range r.TLS.VerifiedChains {
		// Only the client's own certificate says who it is; its issuer doesn't.
		if len(chain) == 0 {
			continue
		}
		if u, ok := b.User(chain[0].Subject.CommonName); ok {
			return u.Name
		}
	}
	return auth.Guest
}

// access is what a call wants. Its path has lost the slash at the end, by which
// patterns tell a directory from what is in it.
func access(r *http.Request, call *api.Call) auth.Access {
	a := auth.Access{Key: call.Path, Write: call.Kind == api.Write, Recursive: call.Recursive || call.Write.Recursive}
	switch r.URL.Path {
	case "/v2/keys" + call.Path + "/", "/v1/keys" + call.Path + "/":
		a.Key += "/"
	}
	return a
}
