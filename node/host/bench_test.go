package host_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
)

// The benchmarks ask a sole member on the disk under the temporary directory, from
// so many goroutines that each wait for their answer.

func BenchmarkWrite(b *testing.B) {
	value := strings.Repeat("v", 256)
	benchmark(b, func(i uint64) *api.Call {
		path := fmt.Sprintf("/bench/%d", i%1000)
		return &api.Call{Kind: api.Write, Path: path, Write: keys.Command{Kind: keys.Set, Path: path, Value: value}}
	})
}

func BenchmarkLinearizableRead(b *testing.B) {
	benchmark(b, func(uint64) *api.Call { return &api.Call{Kind: api.Read, Path: "/", Linearizable: true} })
}

func BenchmarkLocalRead(b *testing.B) {
	benchmark(b, func(uint64) *api.Call { return &api.Call{Kind: api.Read, Path: "/"} })
}

func benchmark(b *testing.B, call func(uint64) *api.Call) {
	for _, depth := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			h := sole(b)
			var count atomic.Uint64
			b.ReportAllocs()
			// A goroutine for each processor and multiple: close enough to depth.
			b.SetParallelism(max(depth/2, 1))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if a := h.Do(b.Context(), call(count.Add(1))); a.Status != consensus.Done || a.Err != nil {
						b.Errorf("ended %v: %s %v", a.Status, a.Reason, a.Err)
						return
					}
				}
			})
		})
	}
}

// sole starts a sole member as a daemon would.
func sole(b *testing.B) *host.Host {
	disk, err := host.OpenDisk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	cfg := node.Config{Cluster: 1, ID: 7, Name: "one"}
	if err := node.Found(disk, cfg, checkpoint.Store{}, []state.Member{{ID: 7, Name: "one"}}); err != nil {
		b.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: noPeers{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Stop(); err != nil {
			b.Error(err)
		}
		if err := disk.Close(); err != nil {
			b.Error(err)
		}
	})
	return h
}
