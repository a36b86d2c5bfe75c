package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// pieces reads a text in pieces of drawn lengths.
type pieces struct {
	rest []byte
	rng  *rand.Rand
}

func (p *pieces) Read(buf []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(buf[:min(len(buf), 1+p.rng.IntN(3000))], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// readAll returns all frames of a stream and the error that ends it.
func readAll(r io.Reader) (frames [][]byte, err error) {
	var s splitter
	for {
		if err = s.fill(r); err != nil {
			return frames, err
		}
		if frames, err = s.split(frames); err != nil {
			return frames, err
		}
	}
}

// plainly is readAll, written as simply as can be.
func plainly(data []byte) (frames [][]byte, err error) {
	for len(data) > 0 {
		if len(data) < 4 {
			return frames, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(data)
		if size > maxFramed {
			return frames, ErrFraming
		}
		if len(data) < 4+int(size) {
			return frames, io.ErrUnexpectedEOF
		}
		if size > 0 {
			frames = append(frames, data[4:4+size])
		}
		data = data[4+size:]
	}
	return frames, io.EOF
}

func FuzzSplitter(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(1), []byte{0, 0, 0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 2, 'y', 'z'})
	f.Add(uint64(2), []byte{0, 0, 0, 9, 'x'})
	f.Add(uint64(3), []byte{255, 255, 255, 255})
	f.Add(uint64(4), append([]byte{0, 1, 0x10, 0}, make([]byte, maxFramed)...))
	f.Add(uint64(5), append([]byte{0, 1, 0x10, 1}, make([]byte, maxFramed+1)...))
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		// Longer than a chunk, so that frames lie across its end.
		data = bytes.Repeat(data, 1+min(int(seed%64), 3*chunkBytes/max(1, len(data))))
		want, wantErr := plainly(data)
		got, err := readAll(&pieces{rest: data, rng: rand.New(rand.NewPCG(seed, 0))})
		if !errors.Is(err, wantErr) {
			t.Fatalf("ended by %v, want %v", err, wantErr)
		}
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("%d frames differ from the %d that were sent", len(got), len(want))
		}
	})
}

func TestSplitterOverManyChunks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var data []byte
	var want [][]byte
	for i := range 400 {
		size := 1 + rng.IntN(1500)
		if i%20 == 0 {
			size = 1 + rng.IntN(maxFramed)
		}
		frame := bytes.Repeat([]byte{byte(i)}, size)
		want = append(want, frame)
		data = appendFramed(data, frame)
	}
	got, err := readAll(&pieces{rest: data, rng: rng})
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if !slices.EqualFunc(want, got, bytes.Equal) {
		t.Error("the frames differ from those that were sent")
	}
}

// silent reads nothing, again and again.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestAReaderThatReadsNothing(t *testing.T) {
	if _, err := readAll(silent{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v, want %v", err, io.ErrNoProgress)
	}
}

func TestWritesAreWhatIsRead(t *testing.T) {
	var want [][]byte
	for _, size := range []int{1, 60, 1514, 30000, 40000, 65550, 14} {
		want = append(want, bytes.Repeat([]byte{byte(size)}, size))
	}
	a, b := streamPair(t)
	done := make(chan error, 1)
	go func() { done <- a.Write(want) }()
	var got [][]byte
	for len(got) < len(want) {
		var err error
		if got, err = b.Read(got); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !slices.EqualFunc(want, got, bytes.Equal) {
		t.Error("the frames differ from those that were written")
	}
}
