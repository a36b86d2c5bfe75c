// Package pcapng writes captures of frames in the format that Wireshark and
// tcpdump read: blocks as draft-ietf-opsawg-pcapng describes them, one interface
// for each port, with directions and comments.
package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The types of blocks, the codes of options and other constants of the format.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	byteOrder      = 0x1a2b3c4d
	ethernet       = 1 // LINKTYPE_ETHERNET

	optionEnd         = 0
	optionComment     = 1
	optionApplication = 4 // of a section
	optionName        = 2 // of an interface
	optionResolution  = 9 // of an interface
	optionFlags       = 2 // of a packet
)

// maxText bounds names and comments; the format has 16 bits for their length.
const maxText = 1 << 10

// ErrInterface is returned for a packet of an interface that was not added.
var ErrInterface = errors.New("pcapng: no such interface")

// Direction is which way a packet goes, as its interface sees it.
type Direction uint32

// The directions.
const (
	Unknown  Direction = 0
	Inbound  Direction = 1 // it was received
	Outbound Direction = 2 // it was sent
)

// Packet is one captured frame.
type Packet struct {
	// Interface is what Encoder.Interface has returned.
	Interface int
	Time      time.Time
	Data      []byte
	Direction Direction
	Comment   string // may be empty
}

// Encoder turns packets into blocks. It keeps count of interfaces and nothing
// else: whoever calls it writes the bytes, in the order of the calls.
type Encoder struct {
	interfaces int
}

// Section appends the block that a capture begins with; application says who
// made it.
func (e *Encoder) Section(buf []byte, application string) []byte {
	e.interfaces = 0
	body := binary.LittleEndian.AppendUint32(nil, byteOrder)
	body = append(body, 1, 0, 0, 0) // version 1.0
	body = binary.LittleEndian.AppendUint64(body, math.MaxUint64)
	body = option(body, optionApplication, []byte(short(application)))
	body = option(body, optionEnd, nil)
	return block(buf, blockSection, body)
}

// Interface appends an interface for Ethernet frames, with nanoseconds, and
// returns its number.
func (e *Encoder) Interface(buf []byte, name string) ([]byte, int) {
	body := []byte{ethernet, 0, 0, 0}
	body = binary.LittleEndian.AppendUint32(body, 0) // no limit to a packet's length
	body = option(body, optionName, []byte(short(name)))
	body = option(body, optionResolution, []byte{9})
	body = option(body, optionEnd, nil)
	e.interfaces++
	return block(buf, blockInterface, body), e.interfaces - 1
}

// Packet appends a packet.
func (e *Encoder) Packet(buf []byte, p Packet) ([]byte, error) {
	if p.Interface < 0 || p.Interface >= e.interfaces {
		return buf, fmt.Errorf("%w: %d of %d", ErrInterface, p.Interface, e.interfaces)
	}
	stamp := uint64(p.Time.UnixNano())
	body := make([]byte, 0, 64+len(p.Data)+len(p.Comment))
	body = binary.LittleEndian.AppendUint32(body, uint32(p.Interface))
	body = binary.LittleEndian.AppendUint32(body, uint32(stamp>>32))
	body = binary.LittleEndian.AppendUint32(body, uint32(stamp))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(p.Data)))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(p.Data)))
	body = pad(append(body, p.Data...))
	if p.Direction != Unknown {
		body = option(body, optionFlags, binary.LittleEndian.AppendUint32(nil, uint32(p.Direction)))
	}
	if p.Comment != "" {
		body = option(body, optionComment, []byte(short(p.Comment)))
	}
	body = option(body, optionEnd, nil)
	return block(buf, blockPacket, body), nil
}

// block appends a block with its length before and behind its body.
func block(buf []byte, kind uint32, body []byte) []byte {
	size := uint32(len(body) + 12)
	buf = binary.LittleEndian.AppendUint32(buf, kind)
	buf = binary.LittleEndian.AppendUint32(buf, size)
	buf = append(buf, body...)
	return binary.LittleEndian.AppendUint32(buf, size)
}

func option(body []byte, code uint16, value []byte) []byte {
	body = binary.LittleEndian.AppendUint16(body, code)
	body = binary.LittleEndian.AppendUint16(body, uint16(len(value)))
	return pad(append(body, value...))
}

// pad fills up to a multiple of four bytes.
func pad(body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	return body
}

func short(text string) string { return text[:min(len(text), maxText)] }
