// Package floor measures what no server on this machine can beat: how long the disk
// takes to make bytes stable, how long a round trip over loopback takes, and how
// fast memory is copied. A benchmark prints it beside its results, since a figure
// means little without the limit that bounds it.
//
// The disk is asked in the directory where servers would keep their data. An
// operating system that answers a sync without asking the disk, or a disk that
// answers from its cache, makes the floor too low: the figures are what this
// machine says, no more.
package floor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"drydock/bench/load"
)

// Sizes of what is measured.
const (
	blockBytes   = 4 << 10
	fileBytes    = 8 << 20
	messageBytes = 512
	copyBytes    = 64 << 20 // above what caches hold
)

// Floor is what was measured. Times are in microseconds.
type Floor struct {
	// Sync is a write of 4 KiB over bytes that the file has, and the sync after it.
	Sync Times `json:"sync"`
	// SyncGrow is the same at the end of a file that grows.
	SyncGrow Times `json:"syncGrow"`
	// Loopback is a round trip of 512 bytes over TCP on 127.0.0.1, between
	// goroutines that block.
	Loopback Times `json:"loopback"`
	// Answers is a server that does nothing but answer; nil if this system doesn't tell
	// what a thread takes.
	Answers *Answers `json:"answers,omitempty"`
	// CopyGB is how many gigabytes (10^9) of memory one thread copies a second of CPU
	// time.
	CopyGB float64 `json:"copyGB"`
}

// Answers is a server of one thread that reads a request of 400 bytes and writes an
// answer of 700, asked by the benchmark's own load in a closed loop.
type Answers struct {
	// Conns is how many connections asked.
	Conns int `json:"conns"`
	// Rate is answers a second.
	Rate float64 `json:"rate"`
	// ServerCPU and ClientCPU are microseconds of CPU an answer.
	ServerCPU float64 `json:"serverCPU"`
	ClientCPU float64 `json:"clientCPU"`
}

// Times is a distribution, in microseconds, and its rate.
type Times struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	// Rate is how many were done a second, one after the other.
	Rate float64 `json:"rate"`
}

// Measure takes about five times each on files in dir, on sockets and in memory.
func Measure(ctx context.Context, dir string, each time.Duration) (Floor, error) {
	var f Floor
	var err error
	if f.Sync, err = syncs(ctx, dir, each, fileBytes); err != nil {
		return f, err
	}
	if f.SyncGrow, err = syncs(ctx, dir, each, 0); err != nil {
		return f, err
	}
	if f.Loopback, err = loopback(ctx, each); err != nil {
		return f, err
	}
	if f.Answers, err = answers(ctx, each); err != nil {
		return f, err
	}
	f.CopyGB, err = copies(ctx, each)
	return f, err
}

// repeat times fn again and again.
func repeat(ctx context.Context, each time.Duration, fn func(i int) error) (Times, error) {
	l := load.NewLatency()
	begin := time.Now()
	last := begin
	for i := 0; last.Sub(begin) < each; i++ {
		if err := ctx.Err(); err != nil {
			return Times{}, err
		}
		if err := fn(i); err != nil {
			return Times{}, err
		}
		now := time.Now()
		l.Record(now.Sub(last))
		last = now
	}
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return Times{P50: us(l.At(0.5)), P99: us(l.At(0.99)), Rate: float64(l.Count()) / last.Sub(begin).Seconds()}, nil
}

// syncs writes and syncs blocks of a file that has already the given size, or, with
// none, grows.
func syncs(ctx context.Context, dir string, each time.Duration, size int64) (_ Times, err error) {
	f, err := os.CreateTemp(dir, "floor-*")
	if err != nil {
		return Times{}, fmt.Errorf("floor: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return Times{}, fmt.Errorf("floor: %w", err)
	}
	if err := f.Sync(); err != nil {
		return Times{}, fmt.Errorf("floor: %w", err)
	}
	block := make([]byte, blockBytes)
	for i := range block {
		block[i] = byte(i)
	}
	return repeat(ctx, each, func(i int) error {
		at := int64(i) * blockBytes
		if size > 0 {
			at %= size
		}
		if _, err := f.WriteAt(block, at); err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		if err := syncData(f); err != nil {
			return fmt.Errorf("floor: sync %s: %w", f.Name(), err)
		}
		return nil
	})
}

// loopback sends messages to an echo.
func loopback(ctx context.Context, each time.Duration) (_ Times, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Times{}, fmt.Errorf("floor: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, messageBytes)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				break
			}
			if _, err := c.Write(b); err != nil {
				break
			}
		}
		_ = c.Close()
	}()
	defer func() { err = errors.Join(err, l.Close()); <-done }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return Times{}, fmt.Errorf("floor: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	b := make([]byte, messageBytes)
	return repeat(ctx, each, func(int) error {
		if _, err := c.Write(b); err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		return nil
	})
}

// copies copies memory that is too large for caches. Its rate is by the CPU time that it
// takes: on a busy machine the clock would tell how long it waited for a CPU, and what
// is held against it is CPU time.
func copies(ctx context.Context, each time.Duration) (float64, error) {
	from, to := make([]byte, copyBytes), make([]byte, copyBytes)
	for i := range from {
		from[i], to[i] = byte(i), 1 // pages that are there
	}
	began, err := cpuTime()
	if err != nil {
		return 0, err
	}
	n := 0
	if _, err := repeat(ctx, each, func(int) error { n++; copy(to, from); return nil }); err != nil {
		return 0, err
	}
	ended, err := cpuTime()
	return float64(n) * copyBytes / 1e9 / max(ended-began, time.Microsecond).Seconds(), err
}

// cpuTime is what this process has taken.
func cpuTime() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("floor: getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
