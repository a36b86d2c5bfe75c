package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"drydock/vmlab/wire/fabric"
)

// ErrUnsupported is matched by the error about an effect that a bridge of the
// kernel's can't have.
var ErrUnsupported = errors.New("the kernel's bridge can't do that")

// tableName is the table that holds the rules.
const tableName = "drydock"

// lossUnit is the number of equal parts that losses are counted in.
const lossUnit = 1_000_000

// Bridge holds rules about the ports of a bridge. Its methods may be called from
// any goroutine.
type Bridge struct {
	mu     sync.Mutex
	began  time.Time
	conn   *nftables.Conn
	table  *nftables.Table
	ports  []port // in the order in which they were named
	rules  []*rule
	newest fabric.RuleID
}

// port is a port's name, as rules have it, with its device at the bridge.
type port struct {
	name, device string // no device: nothing is plugged in
}

// rule is a rule that holds.
type rule struct {
	fabric.Rule
	id    fabric.RuleID
	since time.Duration
	chain *nftables.Chain
	// earlier is what chains have counted that were replaced.
	earlier uint64
}

// New prepares to impair the bridges of a namespace. It needs CAP_NET_ADMIN
// there, and nftables for bridges in the kernel.
func New(namespace *os.File) (*Bridge, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(int(namespace.Fd())), nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	b := &Bridge{began: time.Now(), conn: conn}
	b.table = conn.AddTable(&nftables.Table{Name: tableName, Family: nftables.TableFamilyBridge})
	if err := conn.Flush(); err != nil {
		return nil, errors.Join(fmt.Errorf("nftables for bridges: %w", err), conn.CloseLasting())
	}
	return b, nil
}

// Close removes all rules.
func (b *Bridge) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn.DelTable(b.table)
	b.rules = nil
	return errors.Join(b.conn.Flush(), b.conn.CloseLasting())
}

// SetPort says which device of the bridge a port is plugged in by now; an empty
// one: it is not. The rules that concern it go with it.
func (b *Bridge) SetPort(name, device string) error {
	if len(device) >= unix.IFNAMSIZ {
		return fmt.Errorf("%w: %s: device %q has more than %d bytes", fabric.ErrPort, name, device, unix.IFNAMSIZ-1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.ports, func(p port) bool { return p.name == name })
	if i < 0 {
		i = len(b.ports)
		b.ports = append(b.ports, port{name: name})
	}
	if b.ports[i].device == device {
		return nil
	}
	var earlier []uint64
	for _, r := range b.rules {
		hits, err := b.hits(r)
		if err != nil {
			return err
		}
		earlier = append(earlier, hits)
	}
	b.ports[i].device = device
	if len(b.rules) == 0 {
		return nil
	}
	for _, r := range b.rules {
		b.conn.FlushChain(r.chain)
		b.fill(r)
	}
	if err := b.flush(); err != nil {
		return err
	}
	for i, r := range b.rules {
		r.earlier = earlier[i]
	}
	return nil
}

// ImpairAll has rules hold from one instant on: all of them, or none if one is
// refused. Errors match fabric.ErrRule, or ErrUnsupported.
func (b *Bridge) ImpairAll(rules []fabric.Rule) ([]fabric.RuleID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rules {
		if err := b.check(r); err != nil {
			return nil, err
		}
	}
	var made []*rule
	var ids []fabric.RuleID
	for _, said := range rules {
		b.newest++
		r := &rule{Rule: said, id: b.newest, since: time.Since(b.began)}
		r.Pairs = slices.Clone(said.Pairs)
		r.chain = b.conn.AddChain(&nftables.Chain{
			Name: fmt.Sprintf("rule-%d", r.id), Table: b.table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
		})
		b.fill(r)
		made, ids = append(made, r), append(ids, r.id)
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	b.rules = append(b.rules, made...)
	return ids, nil
}

// Impair has a rule hold from now on, and returns its id.
func (b *Bridge) Impair(r fabric.Rule) (fabric.RuleID, error) {
	ids, err := b.ImpairAll([]fabric.Rule{r})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// check says why a rule can't hold here.
func (b *Bridge) check(r fabric.Rule) error {
	if err := r.Effect.Check(); err != nil {
		return err
	}
	left := r.Effect
	left.Cut, left.Loss = false, 0
	if left != (fabric.Effect{}) {
		return fmt.Errorf("%w: %v; a switch of this program can", ErrUnsupported, left)
	}
	for _, pair := range r.Pairs {
		for _, end := range []string{pair.From, pair.To} {
			if !slices.ContainsFunc(b.ports, func(p port) bool { return fabric.Named(p.name, end) }) {
				return fmt.Errorf("%w: %v: there is no machine or port %q", fabric.ErrRule, pair, end)
			}
		}
	}
	return nil
}

// Heal ends rules, and returns how many of them still held.
func (b *Bridge) Heal(ids ...fabric.RuleID) (int, error) {
	return b.heal(func(r *rule) bool { return slices.Contains(ids, r.id) })
}

// HealAll ends all rules but those of the lab itself (Rule.Base), and returns how
// many.
func (b *Bridge) HealAll() (int, error) {
	return b.heal(func(r *rule) bool { return !r.Base })
}

func (b *Bridge) heal(which func(*rule) bool) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	healed := 0
	for _, r := range b.rules {
		if which(r) {
			b.conn.FlushChain(r.chain)
			b.conn.DelChain(r.chain)
			healed++
		}
	}
	if healed == 0 {
		return 0, nil
	}
	if err := b.flush(); err != nil {
		return 0, err
	}
	b.rules = slices.DeleteFunc(b.rules, which)
	return healed, nil
}

// flush has the kernel do what was asked for, all or nothing.
func (b *Bridge) flush() error {
	if err := b.conn.Flush(); err != nil {
		return fmt.Errorf("nftables for bridges: %w", err)
	}
	return nil
}

// Report returns the rules that hold, with how often they struck.
func (b *Bridge) Report() ([]fabric.RuleReport, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reports := []fabric.RuleReport{}
	for _, r := range b.rules {
		hits, err := b.hits(r)
		if err != nil {
			return nil, err
		}
		report := fabric.RuleReport{ID: r.id, Rule: r.Rule, Since: r.since}
		if r.Effect.Cut {
			report.Hits.Cut = hits
		} else {
			report.Hits.Lost = hits
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// hits returns how many frames a rule has dropped.
func (b *Bridge) hits(r *rule) (uint64, error) {
	lines, err := b.conn.GetRules(b.table, r.chain)
	if err != nil {
		return 0, fmt.Errorf("nftables for bridges: counters of %s: %w", r.chain.Name, err)
	}
	sum := r.earlier
	for _, line := range lines {
		for _, e := range line.Exprs {
			if c, ok := e.(*expr.Counter); ok {
				sum += c.Packets
			}
		}
	}
	return sum, nil
}

// fill writes the lines of a rule's chain, one for each pair of devices.
func (b *Bridge) fill(r *rule) {
	pairs := r.Pairs
	if len(pairs) == 0 {
		pairs = []fabric.Pair{{}}
	}
	for _, pair := range pairs {
		for _, from := range b.devices(pair.From) {
			for _, to := range b.devices(pair.To) {
				line := slices.Concat(device(expr.MetaKeyIIFNAME, from), device(expr.MetaKeyOIFNAME, to), r.chance(),
					[]expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}})
				b.conn.AddRule(&nftables.Rule{Table: b.table, Chain: r.chain, Exprs: line})
			}
		}
	}
}

// devices returns those that a name of a rule means now; an empty one is any.
func (b *Bridge) devices(name string) (devices []string) {
	if name == "" {
		return []string{""}
	}
	for _, p := range b.ports {
		if p.device != "" && fabric.Named(p.name, name) {
			devices = append(devices, p.device)
		}
	}
	return devices
}

// device compares the name of the device that a frame came by or leaves by.
func device(key expr.MetaKey, name string) []expr.Any {
	if name == "" {
		return nil
	}
	padded := []byte(name + strings.Repeat("\x00", unix.IFNAMSIZ-len(name)))
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}

// chance lets a part of the frames go on along the line; nothing: all do.
func (r *rule) chance() []expr.Any {
	if r.Effect.Cut || r.Effect.Loss >= 1 {
		return nil
	}
	below := binary.BigEndian.AppendUint32(nil, uint32(float64(r.Effect.Loss)*lossUnit+0.5))
	return []expr.Any{
		&expr.Numgen{Register: 1, Type: unix.NFT_NG_RANDOM, Modulus: lossUnit},
		// Comparisons go byte by byte, the first one first.
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: below},
	}
}
