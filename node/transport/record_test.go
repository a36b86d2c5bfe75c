package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"pgregory.net/rapid"

	"drydock/node/wire"
)

func newRecordReader(b []byte) *recordReader {
	return &recordReader{r: bufio.NewReader(bytes.NewReader(b))}
}

// payload is a made-up frame that starts with its number.
func payload(number, size int) []byte {
	b := bytes.Repeat([]byte{byte(number)}, max(size, 4))
	binary.BigEndian.PutUint32(b, uint32(number))
	return b
}

// TestQueueToReader: whatever is queued in whatever lane, and however it is cut
// into batches, every frame arrives whole and in the order of its lane.
func TestQueueToReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		var want [2][]int
		var stream bytes.Buffer
		b := newBatch(rapid.IntRange(1, batchBytes).Draw(t, "limit"))
		pings := 0
		take := func() {
			b.reset()
			q.take(b)
			if rapid.Bool().Draw(t, "ping") {
				b.ping(uint64(pings))
				pings++
			}
			size := 0
			for _, piece := range b.pieces {
				size += len(piece)
				stream.Write(piece)
			}
			if size != b.bytes {
				t.Fatalf("a batch of %d bytes says %d", size, b.bytes)
			}
		}
		for number := range rapid.IntRange(0, 6).Draw(t, "frames") {
			size := rapid.OneOf(rapid.IntRange(4, 300), rapid.IntRange(partBytes-2, partBytes+2), rapid.IntRange(partBytes, 3*partBytes)).Draw(t, "size")
			urgent := size <= partBytes && rapid.Bool().Draw(t, "urgent")
			if _, full := q.put(item{frame: payload(number, size)}, urgent); full {
				t.Fatal("full")
			}
			lane := 0
			if urgent {
				lane = 1
			}
			want[lane] = append(want[lane], number<<24|size)
			if rapid.Bool().Draw(t, "take") {
				take()
			}
		}
		for n, _ := q.size(); n > 0; n, _ = q.size() {
			take()
		}
		got, gotPings := readAll(t, stream.Bytes())
		for _, number := range got {
			lane := 1
			if len(want[0]) > 0 && want[0][0] == number {
				lane = 0
			} else if len(want[1]) == 0 || want[1][0] != number {
				t.Fatalf("frame %x is not next in any lane: %x", number, want)
			}
			want[lane] = want[lane][1:]
		}
		if len(want[0])+len(want[1]) > 0 || gotPings != pings {
			t.Fatalf("%x did not come, %d pings of %d", want, gotPings, pings)
		}
	})
}

// readAll returns the number and size of each frame of a stream, and how many
// pings there are.
func readAll(t *rapid.T, stream []byte) (got []int, pings int) {
	rr := newRecordReader(stream)
	for {
		ev, err := rr.next()
		switch {
		case errors.Is(err, io.EOF):
			return got, pings
		case err != nil:
			t.Fatal(err)
		case ev.kind == recordPing:
			pings++
		default:
			number := int(binary.BigEndian.Uint32(ev.frame))
			if !bytes.Equal(ev.frame, payload(number, len(ev.frame))) {
				t.Fatalf("frame %d is spoilt", number)
			}
			got = append(got, number<<24|len(ev.frame))
		}
	}
}

// TestUrgentOvertakes shows the order of two lanes with a frame of many parts.
func TestUrgentOvertakes(t *testing.T) {
	q := newQueue()
	q.put(item{frame: payload(1, 3*partBytes)}, false)
	q.put(item{frame: payload(2, 10)}, false)
	b := newBatch(1)
	var stream []byte
	var order []recordKind
	for i := range 8 {
		if i == 1 {
			q.put(item{frame: payload(3, 10)}, true)
		}
		b.reset()
		q.take(b)
		if len(b.pieces) > 0 {
			order = append(order, recordKind(b.pieces[0][0]))
		}
		stream = append(stream, bytes.Join(b.pieces, nil)...)
	}
	if want := []recordKind{recordBegin, recordFrame, recordMore, recordMore, recordFrame}; !bytes.Equal(kinds(order), kinds(want)) {
		t.Fatalf("records %v, want %v", order, want)
	}
	rr := newRecordReader(stream)
	for _, want := range []uint32{3, 1, 2} {
		ev, err := rr.next()
		if err != nil || binary.BigEndian.Uint32(ev.frame) != want {
			t.Fatalf("%v %v, want frame %d", ev.frame[:4], err, want)
		}
	}
}

func kinds(list []recordKind) (b []byte) {
	for _, k := range list {
		b = append(b, byte(k))
	}
	return b
}

// badRecords are streams that no member sends.
var badRecords = []struct {
	name  string
	bytes []byte
	want  string
}{
	{"unknown kind", appendRecordHead(nil, 99, 0), "unknown kind 99"},
	{"http", []byte("GET / HTTP/1.1\r\n\r\n"), "record of 1163141167 bytes, at most 262144"},
	{"huge record", appendRecordHead(nil, recordFrame, 1<<31), "record of 2147483648 bytes"},
	{"huge frame", binary.BigEndian.AppendUint32(appendRecordHead(nil, recordBegin, 5), wire.MaxFrameBytes+1), "frame of 16777217 bytes, at most 16777216"},
	{"short begin", appendRecordHead(nil, recordBegin, 3), "first part of 3 bytes"},
	{"empty begin", append(appendRecordHead(nil, recordBegin, 4), 0, 0, 0, 9), "part of 0 bytes where 9 are left"},
	{"empty frame in parts", append(appendRecordHead(nil, recordBegin, 5), 0, 0, 0, 0, 1), "part of 1 bytes where 0 are left"},
	{"more without begin", append(appendRecordHead(nil, recordMore, 1), 1), "a part out of place"},
	{"begin twice", bytes.Repeat(append(appendRecordHead(nil, recordBegin, 5), 0, 0, 0, 9, 1), 2), "a part out of place"},
	{"too much", append(append(appendRecordHead(nil, recordBegin, 5), 0, 0, 0, 2, 1), appendRecordHead(nil, recordMore, 2)...), "part of 2 bytes where 1 are left"},
	{"ping", appendRecordHead(nil, recordPing, 9), "ping of 9 bytes"},
}

func TestBadRecords(t *testing.T) {
	for _, tc := range badRecords {
		_, err := newRecordReader(tc.bytes).next()
		if !errors.Is(err, errStream) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	for cut, whole := 0, appendPing(appendBye(nil, "done\nnow"), recordPing, 1); cut < 13; cut++ {
		if _, err := newRecordReader(whole[:cut]).next(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if _, err := newRecordReader(appendBye(nil, "done\n"+strings.Repeat("x", 300))).next(); !errors.Is(err, errBye) || !strings.Contains(err.Error(), "done x") {
		t.Error(err)
	}
}

func FuzzRecords(f *testing.F) {
	for _, tc := range badRecords {
		f.Add(tc.bytes)
	}
	q, b := newQueue(), newBatch(batchBytes)
	q.put(item{frame: payload(1, partBytes+9)}, false)
	q.put(item{frame: payload(2, 9)}, true)
	q.take(b)
	b.ping(5)
	f.Add(bytes.Join(b.pieces, nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		rr := newRecordReader(stream)
		taken := 0
		for {
			ev, err := rr.next()
			if err != nil {
				return
			}
			if taken += len(ev.frame); taken > len(stream) || cap(rr.parts) > len(stream)+4<<20 {
				t.Fatalf("%d bytes of frames from a stream of %d, room for %d", taken, len(stream), cap(rr.parts))
			}
		}
	})
}

// everyKind is a frame of each kind that is known here.
func everyKind() map[string][]byte {
	frames := map[string][]byte{
		"heartbeat": heartbeat(1, 2, 5), "append": appendFrame(1, 2, 5, 100), "empty append": raftFrame(1, 2, raftpb.MsgApp, 5, 0),
		"chunk": chunk(1, 2, 0, 10),
	}
	for name, f := range map[string]wire.Frame{
		"forward": {Kind: wire.KindForward, Forward: &wire.Forward{Batch: []byte("x")}},
		"refuse":  {Kind: wire.KindRefuse, Refuse: &wire.Refuse{Reason: "no", Seqs: []uint64{1}}},
		"ack":     {Kind: wire.KindSnapAck, Ack: &wire.SnapAck{Stream: 9, Offset: 10}},
	} {
		f.Cluster, f.From, f.To = testCluster, 1, 2
		frames[name] = f.Encode()
	}
	return frames
}

// TestEnvelope holds this package's reading of a frame's outside to that of the
// package that lays it out.
func TestEnvelope(t *testing.T) {
	want := envelope{testCluster, 1, 2}
	for name, frame := range everyKind() {
		if e, err := openEnvelope(frame); err != nil || e != want {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		for i := range frame {
			bad := bytes.Clone(frame)
			bad[i] ^= 4
			if _, err := openEnvelope(bad); !errors.Is(err, errStream) {
				t.Errorf("%s with byte %d spoilt: %v", name, i, err)
			}
		}
		if _, err := openEnvelope(frame[:frameHead]); !errors.Is(err, errStream) {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
}

func TestSortFrame(t *testing.T) {
	frames := everyKind()
	big := wire.Frame{Kind: wire.KindRefuse, Refuse: &wire.Refuse{Seqs: make([]uint64, wire.MaxCommands)}}
	for i := range big.Refuse.Seqs {
		big.Refuse.Seqs[i] = 1 << 63
	}
	frames["big refuse"] = append(big.Encode(), make([]byte, partBytes)...)
	frames["junk"], frames["short"] = make([]byte, 100), make([]byte, 3)
	type sorted struct {
		where   lane
		appends int
	}
	want := map[string]sorted{
		"heartbeat": {laneUrgent, 0}, "refuse": {laneUrgent, 0}, "ack": {laneUrgent, 0}, "chunk": {laneSnapshot, 0},
		"append": {laneBulk, 1}, "empty append": {laneBulk, 1}, "forward": {laneBulk, 0}, "big refuse": {laneBulk, 0},
		"junk": {laneBulk, 0}, "short": {laneBulk, 0},
	}
	for name, frame := range frames {
		if where, appends := sortFrame(frame); (sorted{where, appends}) != want[name] {
			t.Errorf("%s: lane %d, %d appends, want %+v", name, where, appends, want[name])
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, frame := range everyKind() {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		sortFrame(frame)
		e, err := openEnvelope(frame)
		decoded, wireErr := wire.Decode(frame)
		if wireErr != nil {
			return
		}
		if err != nil || e != (envelope{decoded.Cluster, decoded.From, decoded.To}) {
			t.Fatalf("%+v, %v, want %+v", e, err, decoded)
		}
	})
}

// TestQueueBounds: a full bulk lane drops what comes, a full urgent lane what has
// waited longest.
func TestQueueBounds(t *testing.T) {
	for _, tc := range []struct {
		urgent        bool
		size, fits    int
		dropped, last int // number of the first dropped, and of the last that stays
	}{
		{false, 16, maxFrames, maxFrames, maxFrames - 1},
		{true, 16, maxFrames, 0, maxFrames},
		{false, 1 << 20, maxBulkBytes >> 20, maxBulkBytes >> 20, maxBulkBytes>>20 - 1},
		{true, 64 << 10, maxUrgentBytes >> 16, 0, maxUrgentBytes >> 16},
	} {
		q := newQueue()
		frame := make([]byte, tc.size)
		for i := range tc.fits {
			if _, full := q.put(item{frame, i}, tc.urgent); full {
				t.Fatalf("%+v: full after %d", tc, i)
			}
		}
		dropped, full := q.put(item{frame, tc.fits}, tc.urgent)
		if !full || dropped.appends != tc.dropped {
			t.Errorf("%+v: full %t, dropped %d", tc, full, dropped.appends)
		}
		frames, bytes := q.size()
		if frames != tc.fits || bytes != tc.fits*tc.size {
			t.Errorf("%+v: %d frames, %d bytes", tc, frames, bytes)
		}
		last := -1
		for _, f := range [...]*fifo{&q.urgent, &q.bulk} {
			for f.len() > 0 {
				last = f.pop().appends
			}
			if f.bytes != 0 {
				t.Errorf("%+v: %d bytes of nothing", tc, f.bytes)
			}
		}
		if last != tc.last {
			t.Errorf("%+v: the last is %d", tc, last)
		}
	}
}

// TestFifo: the list gives its room back as it is taken from.
func TestFifo(t *testing.T) {
	var f fifo
	next := 0
	for i := range 10000 {
		f.push(item{appends: i})
		if i > 100 {
			if got := f.pop().appends; got != next {
				t.Fatalf("item %d, want %d", got, next)
			}
			next++
		}
	}
	if f.len() != 101 || cap(f.items) > 2000 {
		t.Errorf("%d items in room for %d", f.len(), cap(f.items))
	}
}
