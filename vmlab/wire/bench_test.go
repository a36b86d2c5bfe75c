package wire

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
)

// batch is how many frames a benchmark's machine sends at once: what QEMU does
// under load, and a system call each would be measured else.
const batch = 32

// BenchmarkStreams is the throughput of frames from one machine to another over
// two stream sockets and the switch. Its floor is a copy of the same bytes between
// the sockets, with nothing decided.
func BenchmarkStreams(b *testing.B) {
	for _, size := range []int{60, 1514, 65000} {
		var data []byte
		for range batch {
			data = appendFramed(data, frameOf(1, 2, string(make([]byte, size-14))))
		}
		b.Run(fmt.Sprintf("switch/%d", size), func(b *testing.B) {
			s := newSwitch(b, Config{QueueFrames: 1 << 16, QueueBytes: 1 << 30})
			addPorts(b, s, 2)
			a, z := connPair(b), connPair(b)
			for i, conn := range []net.Conn{a[1], z[0]} {
				if err := s.Attach(fmt.Sprintf("core-%02d", i+1), Stream(conn)); err != nil {
					b.Fatal(err)
				}
			}
			flood(b, size, data, a[0], z[1])
		})
		b.Run(fmt.Sprintf("floor/%d", size), func(b *testing.B) {
			a, z := connPair(b), connPair(b)
			go func() {
				// It ends with the sockets.
				_, _ = io.CopyBuffer(struct{ io.Writer }{z[0]}, struct{ io.Reader }{a[1]}, make([]byte, chunkBytes))
			}()
			flood(b, size, data, a[0], z[1])
		})
	}
}

// connPair returns both ends of a pair of stream sockets.
func connPair(b *testing.B) (pair [2]net.Conn) {
	first, second, err := socketPair("floor", PairStream)
	if err != nil {
		b.Fatal(err)
	}
	for i, f := range []*os.File{first, second} {
		if pair[i], err = net.FileConn(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
		b.Cleanup(func() { pair[i].Close() })
	}
	return pair
}

// flood sends batches of frames, with a few on their way, until the benchmark has
// received enough.
func flood(b *testing.B, size int, data []byte, to io.Writer, from io.Reader) {
	window := max(1, 1<<20/len(data))
	credits := make(chan struct{}, window+1)
	for range window {
		credits <- struct{}{}
	}
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-done:
				return
			case <-credits:
			}
			if _, err := to.Write(data); err != nil {
				failed <- err
				return
			}
		}
	}()
	b.SetBytes(int64(size))
	received, wanted, buf := 0, 0, make([]byte, 4*chunkBytes)
	for b.Loop() {
		wanted += size + lengthBytes
		for received < wanted {
			n, err := from.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			for range (received+n)/len(data) - received/len(data) {
				credits <- struct{}{}
			}
			received += n
		}
	}
	b.ReportMetric(float64(wanted/(size+lengthBytes))/b.Elapsed().Seconds(), "frames/s")
	close(done)
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
}

// guestEnd plugs a stream into a port and returns the machine's end.
func guestEnd(b *testing.B, s *Switch, number int) Cable {
	child, err := s.Pair(fmt.Sprintf("core-%02d", number), PairStream)
	if err != nil {
		b.Fatal(err)
	}
	c, err := cableOf(child, PairStream)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// BenchmarkPingPong is the time of a frame there and another back, over stream
// sockets and the switch.
func BenchmarkPingPong(b *testing.B) {
	s := newSwitch(b, Config{})
	addPorts(b, s, 2)
	a, z := guestEnd(b, s, 1), guestEnd(b, s, 2)
	go func() {
		back := [][]byte{frameOf(2, 1, "pong")}
		for {
			if _, err := z.Read(nil); err != nil || z.Write(back) != nil {
				return
			}
		}
	}()
	ping := [][]byte{frameOf(1, 2, "ping")}
	for b.Loop() {
		if err := a.Write(ping); err != nil {
			b.Fatal(err)
		}
		if _, err := a.Read(nil); err != nil {
			b.Fatal(err)
		}
	}
}
