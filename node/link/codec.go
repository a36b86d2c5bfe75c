package link

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"drydock/node/wire"
)

// ErrFrame is matched by every decoding error of this package.
var ErrFrame = wire.ErrFrame

// Limits on frames. What goes beyond is refused, not cut.
const (
	// MaxFrameBytes bounds a frame; MaxTextBytes a unit's text in it.
	MaxFrameBytes = 4 << 20
	MaxTextBytes  = 1 << 20
	// MaxUnits bounds the units, texts and hashes of one frame, MaxParts the frames
	// of one version of the orders.
	MaxUnits = 1 << 16
	MaxParts = 1 << 10
	// MaxIDBytes bounds a machine's id, MaxWordBytes a systemd word, MaxWhyBytes an
	// explanation, MaxNameBytes every other name, key, value and URL.
	MaxIDBytes   = 64
	MaxWordBytes = 64
	MaxWhyBytes  = 4 << 10
	MaxNameBytes = 4 << 10
	// maxItems bounds a machine's URLs, metadata and resources, each.
	maxItems = 1 << 10

	magic    = 'M'
	version  = 1
	crcBytes = 4
	// shortest is a frame without a body and with an empty machine.
	shortest = 3 + 8 + 1 + crcBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kind says what a frame holds. The numbers are the format's.
type kind byte

const (
	kindHello kind = 1 + iota
	kindBeat
	kindReport
	kindWant
	kindBye
	kindWelcome
	kindRedirect
	kindSorry
	kindAck
	kindOrders
	kindTexts
	kindNoted
	kindClosed
)

// body is a message of a frame.
type body interface{ append(b []byte) []byte }

// message returns what the frame holds. A frame that doesn't hold exactly one is a
// mistake of the program.
func (f *Frame) message() (kind, body) {
	var found body
	var which kind
	n := 0
	add := func(set bool, k kind, m body) {
		if set {
			which, found = k, m
			n++
		}
	}
	add(f.Hello != nil, kindHello, f.Hello)
	add(f.Beat != nil, kindBeat, f.Beat)
	add(f.Report != nil, kindReport, f.Report)
	add(f.Want != nil, kindWant, f.Want)
	add(f.Bye != nil, kindBye, f.Bye)
	add(f.Welcome != nil, kindWelcome, f.Welcome)
	add(f.Redirect != nil, kindRedirect, f.Redirect)
	add(f.Sorry != nil, kindSorry, f.Sorry)
	add(f.Ack != nil, kindAck, f.Ack)
	add(f.Orders != nil, kindOrders, f.Orders)
	add(f.Texts != nil, kindTexts, f.Texts)
	add(f.Noted != nil, kindNoted, f.Noted)
	add(f.Closed != nil, kindClosed, f.Closed)
	if n != 1 {
		panic(fmt.Sprintf("link: a frame with %d messages, want 1", n))
	}
	return which, found
}

// orderBytes is about what an order takes.
const orderBytes = 64

// Encode returns the frame's bytes.
func (f *Frame) Encode() []byte {
	k, m := f.message()
	size := 96
	if f.Orders != nil {
		size += len(f.Orders.Units) * orderBytes
	}
	b := append(make([]byte, 0, size), magic, version, byte(k))
	b = binary.BigEndian.AppendUint64(b, f.Cluster)
	b = wire.AppendString(b, f.Machine)
	b = m.append(b)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Decode reads a frame. The result doesn't alias b.
func Decode(b []byte) (*Frame, error) {
	if len(b) > MaxFrameBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, len(b), MaxFrameBytes)
	}
	if len(b) < shortest {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrFrame, len(b))
	}
	rest, sum := b[:len(b)-crcBytes], binary.BigEndian.Uint32(b[len(b)-crcBytes:])
	if crc32.Checksum(rest, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum differs", ErrFrame)
	}
	if rest[0] != magic || rest[1] != version {
		return nil, fmt.Errorf("%w: magic %#x version %d, want %#x version %d", ErrFrame, rest[0], rest[1], magic, version)
	}
	r := reader{wire.NewReader(rest[3:])}
	f := &Frame{Cluster: r.Uint64("cluster"), Machine: r.String("machine", MaxIDBytes)}
	r.message(f, kind(rest[2]))
	if err := r.Done("frame"); err != nil {
		return nil, err
	}
	return f, nil
}

func (r reader) message(f *Frame, k kind) {
	switch k {
	case kindHello:
		f.Hello = r.hello()
	case kindBeat:
		f.Beat = &Beat{Session: r.Uint("beat.session"), Seq: r.Uint("beat.seq"), Have: r.Uint("beat.have")}
	case kindReport:
		f.Report = r.report()
	case kindWant:
		f.Want = &Want{Session: r.Uint("want.session"), Hashes: r.hashes("want.hashes")}
	case kindBye:
		f.Bye = &Bye{Session: r.Uint("bye.session"), Why: r.String("bye.why", MaxWhyBytes)}
	case kindWelcome:
		f.Welcome = r.welcome()
	case kindRedirect:
		f.Redirect = r.redirect()
	case kindSorry:
		f.Sorry = &Sorry{Nonce: r.Uint("sorry.nonce"), Why: r.String("sorry.why", MaxWhyBytes), After: r.span("sorry.after")}
	case kindAck:
		f.Ack = &Ack{
			Session: r.Uint("ack.session"), Seq: r.Uint("ack.seq"), Term: r.Uint("ack.term"), Version: r.Uint("ack.version"),
			Terms: r.terms("ack.beat", "ack.lease", "ack.drift", "ack.keep"),
		}
	case kindOrders:
		f.Orders = r.orders()
	case kindTexts:
		f.Texts = &Texts{Texts: r.strings("texts", MaxUnits, MaxTextBytes)}
	case kindNoted:
		f.Noted = &Noted{Session: r.Uint("noted.session"), Seq: r.Uint("noted.seq")}
	case kindClosed:
		f.Closed = &Closed{Session: r.Uint("closed.session"), Why: r.String("closed.why", MaxWhyBytes)}
	default:
		r.Fail("kind", fmt.Sprintf("unknown kind %d", k))
	}
}
