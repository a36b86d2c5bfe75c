package state

import (
	"errors"
	"fmt"
	"time"

	"drydock/node/auth"
	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/wire"
	"drydock/node/world"
)

// Errors of commands.
var (
	// ErrCommand is matched by every error of decoding a batch or command.
	ErrCommand = errors.New("state: bad command")
	// ErrTooLarge is matched when a command exceeds what replicas read.
	ErrTooLarge = errors.New("state: command too large")
)

// Limits on what one entry holds.
const (
	// MaxBatchCommands bounds the commands of one entry.
	MaxBatchCommands = 4096
	// MaxCommandBytes bounds one encoded command: the largest value that the
	// keyspace takes and its key fit.
	MaxCommandBytes = keys.MaxValueBytes + 1<<20
	// MaxHeaderBytes is the most that stands in a batch before its commands.
	MaxHeaderBytes = 1 + 3*10 + len(Digest{})
	// MaxTokenBytes bounds a client's request token.
	MaxTokenBytes = 64

	batchVersion = 1
)

// ID names a command for ever: the member that took it from a client, that
// member's life, and a sequence in that life. A repeated ID is the same command.
type ID struct {
	Member      world.MemberID
	Incarnation uint64
	Seq         uint64
}

// String prints the id as logs show it.
func (id ID) String() string {
	return fmt.Sprintf("%x.%d.%d", uint64(id.Member), id.Incarnation, id.Seq)
}

// Kind is the type of a command.
type Kind uint8

// The kinds of commands.
const (
	// KindKeys is a write to the keyspace.
	KindKeys Kind = 1 + iota
	// KindExpire removes every key that is due at the batch's time.
	KindExpire
	// KindMembers changes the membership. It is the context of a configuration
	// change entry of raft, not part of a batch.
	KindMembers
	// KindRelease raises the cluster's release; see Raise.
	KindRelease
	// KindPublish says how a member is called and reached; see Publish.
	KindPublish
	// KindAuth changes users and roles, or switches auth on or off.
	KindAuth
	// KindFleet changes units, machines, and what runs where.
	KindFleet
)

// Command is one replicated command.
type Command struct {
	ID ID
	// Low is the lowest sequence that the origin still waits for: all below it
	// are decided and will not be sent again.
	Low  uint64
	Kind Kind
	// Token is the client's own name for its request; it is kept for audits
	// and means nothing to the state.
	Token string
	// Keys is the write of a KindKeys.
	Keys keys.Command
	// Members are the changes of a KindMembers.
	Members []MemberChange
	// Raise is the content of a KindRelease, Publish that of a KindPublish.
	Raise   *Raise
	Publish *Publish
	// Auth is the content of a KindAuth, Fleet that of a KindFleet.
	Auth  *auth.Command
	Fleet *fleet.Command
}

// Batch is the content of one log entry.
type Batch struct {
	// Time is the leader's estimate of cluster time when it proposed, Wall the
	// calendar beside it.
	Time keys.Stamp
	// CheckIndex and CheckDigest are the state digest that the leader had at
	// an index it had applied; a replica that had another one is not a replica.
	CheckIndex  uint64
	CheckDigest Digest
	Commands    []Command
}

// AppendCommand encodes c. The encoding is what members forward to the leader
// and what the leader packs into a batch.
func AppendCommand(b []byte, c *Command) []byte {
	return AppendEncoded(b, c.ID, c.Low, AppendContent(nil, c))
}

// AppendEncoded is AppendCommand of a command whose content is encoded already.
// An origin encodes the content once; the low mark moves from copy to copy.
func AppendEncoded(b []byte, id ID, low uint64, content []byte) []byte {
	b = wire.AppendUint(b, uint64(id.Member))
	b = wire.AppendUint(b, id.Incarnation)
	b = wire.AppendUint(b, id.Seq)
	b = wire.AppendUint(b, id.Seq-low)
	return append(b, content...)
}

// AppendContent encodes what c says, without its id and low mark.
func AppendContent(b []byte, c *Command) []byte {
	b = append(b, byte(c.Kind))
	b = wire.AppendString(b, c.Token)
	switch c.Kind {
	case KindKeys:
		return wire.AppendSized(b, c.Keys.AppendBinary)
	case KindExpire:
		return wire.AppendBytes(b, nil)
	case KindMembers:
		return wire.AppendSized(b, func(b []byte) []byte { return appendChanges(b, c.Members) })
	case KindRelease:
		return wire.AppendSized(b, c.Raise.append)
	case KindPublish:
		return wire.AppendSized(b, c.Publish.append)
	case KindAuth:
		return wire.AppendSized(b, c.Auth.AppendBinary)
	case KindFleet:
		return wire.AppendSized(b, c.Fleet.AppendBinary)
	}
	panic(fmt.Sprintf("state: command of unknown kind %d", c.Kind))
}

// CheckSize says whether replicas will read content, which AppendContent made
// of c. Whoever proposes has to ask: an entry that can't be read stops every
// replica.
func CheckSize(c *Command, content []byte) error {
	if len(c.Token) > MaxTokenBytes {
		return fmt.Errorf("%w: token of %d bytes, at most %d", ErrTooLarge, len(c.Token), MaxTokenBytes)
	}
	if len(content) > MaxCommandBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(content), MaxCommandBytes)
	}
	if c.Fleet != nil {
		return c.Fleet.Check()
	}
	return nil
}

func readCommand(r *wire.Reader) (Command, error) {
	var c Command
	c.ID.Member = world.MemberID(r.Uint("command.member"))
	c.ID.Incarnation = r.Uint("command.incarnation")
	c.ID.Seq = r.Uint("command.seq")
	back := r.Uint("command.low")
	if back > c.ID.Seq {
		r.Fail("command.low", "above the command's own sequence")
	}
	c.Low = c.ID.Seq - back
	c.Kind = Kind(r.Byte("command.kind"))
	c.Token = r.String("command.token", MaxTokenBytes)
	body := r.Bytes("command.body", MaxCommandBytes)
	if err := r.Err(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCommand, err)
	}
	if err := c.readBody(body); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCommand, err)
	}
	return c, nil
}

// readBody reads what follows the kind and token.
func (c *Command) readBody(body []byte) (err error) {
	switch c.Kind {
	case KindKeys:
		c.Keys, err = keys.DecodeCommand(body)
	case KindExpire:
		if len(body) != 0 {
			err = errors.New("an expiry has no body")
		}
	case KindMembers:
		c.Members, err = readChanges(body)
	case KindRelease:
		r, bad := readRaise(body)
		c.Raise, err = &r, bad
	case KindPublish:
		p, bad := readPublish(body)
		c.Publish, err = &p, bad
	case KindAuth:
		a, bad := auth.DecodeCommand(body)
		c.Auth, err = &a, bad
	case KindFleet:
		f, bad := fleet.DecodeCommand(body)
		if c.Fleet, err = &f, bad; errors.Is(bad, fleet.ErrUnknown) {
			err = tooOld("a command about the fleet", Newest, 0)
		}
	default:
		// A newer release's command: going on would make replicas differ.
		err = tooOld(fmt.Sprintf("a command of kind %d", c.Kind), Newest, 0)
	}
	return err
}

// DecodeCommands reads commands that stand one behind the other.
func DecodeCommands(b []byte) ([]Command, error) { return decodeCommands(nil, b) }

// decodeCommands is DecodeCommands into the room of list.
func decodeCommands(list []Command, b []byte) ([]Command, error) {
	r := wire.NewReader(b)
	for r.Len() > 0 {
		if len(list) == MaxBatchCommands {
			return nil, fmt.Errorf("%w: more than %d commands", ErrCommand, MaxBatchCommands)
		}
		c, err := readCommand(r)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// DecodeCommand reads exactly one command.
func DecodeCommand(b []byte) (Command, error) {
	list, err := DecodeCommands(b)
	if err != nil {
		return Command{}, err
	}
	if len(list) != 1 {
		return Command{}, fmt.Errorf("%w: %d commands where one belongs", ErrCommand, len(list))
	}
	return list[0], nil
}

// Header is a batch without its commands.
type Header struct {
	Time        keys.Stamp
	CheckIndex  uint64
	CheckDigest Digest
}

// AppendBatch encodes a batch around commands that are encoded already.
func AppendBatch(b []byte, h Header, commands []byte) []byte {
	b = append(b, batchVersion)
	b = wire.AppendUint(b, uint64(h.Time.Cluster))
	b = wire.AppendUint(b, uint64(h.Time.Wall))
	b = wire.AppendUint(b, h.CheckIndex)
	b = append(b, h.CheckDigest[:]...)
	return append(b, commands...)
}

// DecodeBatch reads the content of an entry.
func DecodeBatch(b []byte) (Batch, error) { return decodeBatch(nil, b) }

// decodeBatch is DecodeBatch with the commands in the room of list.
func decodeBatch(list []Command, b []byte) (Batch, error) {
	var out Batch
	r := wire.NewReader(b)
	if v := r.Byte("batch.version"); r.Err() == nil && v != batchVersion {
		return out, fmt.Errorf("%w: batch version %d, this release reads %d", ErrCommand, v, batchVersion)
	}
	out.Time.Cluster = time.Duration(r.Uint("batch.time"))
	out.Time.Wall = int64(r.Uint("batch.wall"))
	if out.Time.Cluster < 0 {
		r.Fail("batch.time", "negative")
	}
	out.CheckIndex = r.Uint("batch.checkIndex")
	copy(out.CheckDigest[:], r.Fixed("batch.checkDigest", len(out.CheckDigest)))
	rest := r.Fixed("batch.commands", r.Len())
	if err := r.Err(); err != nil {
		return out, fmt.Errorf("%w: %w", ErrCommand, err)
	}
	var err error
	out.Commands, err = decodeCommands(list, rest)
	return out, err
}
