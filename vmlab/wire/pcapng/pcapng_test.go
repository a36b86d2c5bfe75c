package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readBlock is a block as a reader of the format sees it.
type readBlock struct {
	Kind    uint32
	Fixed   []byte // what every block of the kind begins with
	Data    string // of a packet
	Options map[uint16]string
}

// fixed is how many bytes the blocks of a kind begin with, before the packet or
// the options.
var fixed = map[uint32]int{blockSection: 16, blockInterface: 8, blockPacket: 20}

func readBlocks(t *testing.T, data []byte) (blocks []readBlock) {
	t.Helper()
	for len(data) > 0 {
		kind, size := binary.LittleEndian.Uint32(data), int(binary.LittleEndian.Uint32(data[4:]))
		if size%4 != 0 || size > len(data) || int(binary.LittleEndian.Uint32(data[size-4:])) != size {
			t.Fatalf("block of kind %#x: length %d, %d left", kind, size, len(data))
		}
		body := data[8 : size-4]
		b := readBlock{Kind: kind, Fixed: body[:fixed[kind]], Options: map[uint16]string{}}
		body = body[fixed[kind]:]
		if kind == blockPacket {
			n := int(binary.LittleEndian.Uint32(b.Fixed[12:]))
			b.Data = string(body[:n])
			body = body[(n+3)/4*4:]
		}
		for {
			code, n := binary.LittleEndian.Uint16(body), int(binary.LittleEndian.Uint16(body[2:]))
			if code == optionEnd {
				break
			}
			b.Options[code] = string(body[4 : 4+n])
			body = body[4+(n+3)/4*4:]
		}
		if len(body) != 4 {
			t.Fatalf("block of kind %#x: %d bytes behind its options", kind, len(body)-4)
		}
		blocks = append(blocks, b)
		data = data[size:]
	}
	return blocks
}

func TestBlocks(t *testing.T) {
	var e Encoder
	buf := e.Section(nil, "drydock")
	buf, a := e.Interface(buf, "core-01")
	buf, b := e.Interface(buf, "dropped")
	at := time.Unix(1_700_000_000, 123_456_789)
	buf, err := e.Packet(buf, Packet{Interface: a, Time: at, Data: []byte("a frame"), Direction: Inbound})
	if err != nil {
		t.Fatal(err)
	}
	buf, err = e.Packet(buf, Packet{Interface: b, Time: at, Data: []byte("four"), Comment: "cut"})
	if err != nil {
		t.Fatal(err)
	}
	stamp := uint64(1_700_000_000_123_456_789)
	packet := func(number byte, size uint32) []byte {
		head := []byte{number, 0, 0, 0}
		for _, n := range []uint32{uint32(stamp >> 32), uint32(stamp & 0xffffffff), size, size} {
			head = binary.LittleEndian.AppendUint32(head, n)
		}
		return head
	}
	want := []readBlock{
		{blockSection, append([]byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}, bytes.Repeat([]byte{255}, 8)...), "", map[uint16]string{4: "drydock"}},
		{blockInterface, []byte{1, 0, 0, 0, 0, 0, 0, 0}, "", map[uint16]string{2: "core-01", 9: "\x09"}},
		{blockInterface, []byte{1, 0, 0, 0, 0, 0, 0, 0}, "", map[uint16]string{2: "dropped", 9: "\x09"}},
		{blockPacket, packet(0, 7), "a frame", map[uint16]string{2: "\x01\x00\x00\x00"}},
		{blockPacket, packet(1, 4), "four", map[uint16]string{1: "cut"}},
	}
	if diff := cmp.Diff(want, readBlocks(t, buf)); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	var e Encoder
	buf, _ := e.Interface(nil, strings.Repeat("x", 1<<20))
	if got := len(readBlocks(t, buf)[0].Options[optionName]); got != maxText {
		t.Errorf("a name of %d bytes, at most %d", got, maxText)
	}
}

func TestAPacketOfNoInterface(t *testing.T) {
	var e Encoder
	for _, n := range []int{-1, 0, 7} {
		if _, err := e.Packet(nil, Packet{Interface: n}); !errors.Is(err, ErrInterface) {
			t.Errorf("interface %d: %v", n, err)
		}
	}
}
