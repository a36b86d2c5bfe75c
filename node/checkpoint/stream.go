package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"drydock/node/keys"
	"drydock/node/state"
)

// Encode writes a state as a stream in the format of snapshot files and returns
// its length. The records may come in any order, each once.
func Encode(w io.Writer, sn state.Snapshot, records []keys.Record) (int64, error) {
	sorted := slices.SortedFunc(slices.Values(records), func(a, b keys.Record) int {
		if c := strings.Compare(a.Bucket, b.Bucket); c != 0 {
			return c
		}
		return bytes.Compare(a.Key, b.Key)
	})
	s, err := newSnapWriter(appender{w}, metaOf(sn))
	if err != nil {
		return 0, fmt.Errorf("checkpoint: encode: %w", err)
	}
	for i := range sorted {
		r := Record(sorted[i])
		if err := r.check(); err != nil {
			return 0, fmt.Errorf("checkpoint: encode: %w", err)
		}
		if err := s.add(r); err != nil {
			return 0, fmt.Errorf("checkpoint: encode: %w", err)
		}
	}
	n, err := s.finish()
	if err != nil {
		return 0, fmt.Errorf("checkpoint: encode: %w", err)
	}
	return n, nil
}

// Decode reads what Encode wrote, of size bytes. It gives the whole or an error;
// what is wrong with the stream matches ErrCorrupt. Whether the records make up
// the state that is described, state.Load says.
func Decode(r io.Reader, size int64) (state.Snapshot, []keys.Record, error) {
	var m Meta
	var list []keys.Record
	err := readSnapshot(r, size, func(got Meta) error { m = got; return nil }, func(r Record) error {
		list = append(list, keys.Record(r))
		return nil
	})
	if err != nil {
		return state.Snapshot{}, nil, fmt.Errorf("checkpoint: decode: %w", err)
	}
	return m.snapshot(), list, nil
}

// appender is a file that is written from its start to its end.
type appender struct{ w io.Writer }

// WriteAt implements io.WriterAt for writes that follow one another.
func (a appender) WriteAt(p []byte, _ int64) (int, error) { return a.w.Write(p) }
