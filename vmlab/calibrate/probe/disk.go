package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What is written: as the log's segments are, filled beforehand and written in order.
const (
	blockBytes = 4 << 10
	fileBlocks = 1024
)

// Syncs writes so many blocks in a file below a directory, one every so often, and
// syncs each, as a member's log does. It says how long each took, and leaves no file.
func Syncs(ctx context.Context, dir string, count int, every time.Duration) (times []time.Duration, err error) {
	if count < 1 || count > MaxCount || every < 0 {
		return nil, fmt.Errorf("%w: %d syncs: 1 to %d", ErrBounds, count, MaxCount)
	}
	name := filepath.Join(dir, ".drydock-probe")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(name)) }()
	block := make([]byte, blockBytes)
	for range fileBlocks {
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	tick := time.NewTicker(max(every, time.Microsecond))
	defer tick.Stop()
	for i := range count {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		block[0] = byte(i + 1)
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i%fileBlocks)*blockBytes); err != nil {
			return nil, err
		}
		if err := syncData(f); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
