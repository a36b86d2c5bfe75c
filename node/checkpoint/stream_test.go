package checkpoint

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/keys"
	"drydock/node/state"
)

func TestStreamRoundTrip(t *testing.T) {
	sn := state.Snapshot{Index: 7, Term: 2, Revision: 9, Digest: state.Digest{1, 2}, Extra: []byte("extra")}
	records := []keys.Record{
		{Bucket: "b", Key: []byte("k"), Value: []byte("v")},
		{Bucket: "a", Key: []byte("z"), Value: []byte{}},
		{Bucket: "a", Key: []byte("y"), Value: make([]byte, 3*flushBytes)},
	}
	var b bytes.Buffer
	n, err := Encode(&b, sn, records)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("%d bytes of %d, %v", n, b.Len(), err)
	}
	got, list, err := Decode(bytes.NewReader(b.Bytes()), n)
	if err != nil {
		t.Fatal(err)
	}
	want := []keys.Record{records[2], records[1], records[0]}
	if diff := cmp.Diff(sn, got) + cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for at := 0; at < b.Len(); at += 101 {
		bad := bytes.Clone(b.Bytes())
		bad[at] ^= 1
		if _, _, err := Decode(bytes.NewReader(bad), n); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d flipped: %v", at, err)
		}
		if _, _, err := Decode(bytes.NewReader(bad[:at]), int64(at)); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", at, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, records := range map[string][]keys.Record{
		"no bucket": {{Key: []byte("k"), Value: []byte("v")}},
		"no key":    {{Bucket: "b", Value: []byte("v")}},
	} {
		if _, err := Encode(&bytes.Buffer{}, state.Snapshot{}, records); !errors.Is(err, ErrBound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Encode(failing{}, state.Snapshot{}, nil); !errors.Is(err, errFull) {
		t.Errorf("a writer that fails: %v", err)
	}
}

var errFull = errors.New("no space")

// failing is a writer without room.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
