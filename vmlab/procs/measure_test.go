package procs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drydock/vmlab/load"
)

// running is a cluster that is up.
func running(t testing.TB, flags ...string) *Cluster {
	t.Helper()
	c, err := New(Options{Binary: binary(t), Dir: keptDir(t), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.StartAll(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// put writes a key through a member.
func put(ctx context.Context, hc *http.Client, c *Cluster, i int, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, load.OpTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"value": {value}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.URL(i)+"/v2/keys/"+key, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("put %s: %s", key, resp.Status)
	}
	return nil
}

// writers write through all members until stopped, and note when a write that
// was asked for after since was acknowledged first.
type writers struct {
	since, acked atomic.Int64 // nanoseconds from began
	began        time.Time
	stop         func()
}

func startWriters(t testing.TB, c *Cluster, n int) *writers {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writers{began: time.Now()}
	var group sync.WaitGroup
	for k := range n {
		group.Go(func() {
			hc := &http.Client{Transport: &http.Transport{}}
			defer hc.CloseIdleConnections()
			for i := k; ctx.Err() == nil; {
				called := int64(time.Since(w.began))
				if err := put(ctx, hc, c, i%c.Size(), fmt.Sprintf("w%d", k), "x"); err != nil {
					i++
					_ = pause(ctx, 5*time.Millisecond)
					continue
				}
				if since := w.since.Load(); since > 0 && called > since {
					w.acked.CompareAndSwap(0, int64(time.Since(w.began)))
				}
				_ = pause(ctx, 5*time.Millisecond)
			}
		})
	}
	w.stop = func() { cancel(); group.Wait() }
	return w
}

// BenchmarkFailover kills the leader under load, ten times, and reports how long
// it took until a write that was asked for afterwards was acknowledged.
func BenchmarkFailover(b *testing.B) {
	c := running(b)
	w := startWriters(b, c, 6)
	defer w.stop()
	var took []time.Duration
	for b.Loop() {
		for range 10 {
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			lead := -1
			for lead < 0 && pause(ctx, time.Second) == nil {
				lead = c.Leader(ctx)
			}
			if lead < 0 {
				b.Fatal("nobody leads")
			}
			killed := time.Since(w.began)
			w.acked.Store(0)
			w.since.Store(int64(killed))
			c.Kill(lead)
			for w.acked.Load() == 0 {
				if err := pause(ctx, time.Millisecond); err != nil {
					b.Fatalf("no write was acknowledged after %s was killed: %v", c.Name(lead), err)
				}
			}
			took = append(took, time.Duration(w.acked.Load())-killed)
			w.since.Store(0)
			if err := c.StartAll(ctx); err != nil {
				b.Fatal(err)
			}
			cancel()
		}
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "median-ms")
	b.ReportMetric(float64(took[0].Milliseconds()), "min-ms")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "max-ms")
	b.Logf("%v", took)
}

// BenchmarkIdle reports what an idle member with 10,000 keys takes of memory and
// of a core, the worst of three.
func BenchmarkIdle(b *testing.B) {
	if _, err := UsageOf(os.Getpid()); errors.Is(err, errors.ErrUnsupported) {
		b.Skip("only Linux tells here what a process takes")
	}
	c := running(b)
	fill(b, c, 10000)
	const watched = 10 * time.Second
	var memory int64
	var busy time.Duration
	for b.Loop() {
		_ = pause(b.Context(), 3*time.Second)
		var before [3]Usage
		for i := range before {
			before[i] = usage(b, c, i)
		}
		_ = pause(b.Context(), watched)
		for i := range before {
			after := usage(b, c, i)
			memory = max(memory, after.ResidentBytes)
			busy = max(busy, after.CPU-before[i].CPU)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(memory)/(1<<20), "MiB/member")
	b.ReportMetric(100*busy.Seconds()/watched.Seconds(), "%core/member")
}

func usage(b *testing.B, c *Cluster, i int) Usage {
	b.Helper()
	u, err := UsageOf(c.Pid(i))
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// fill writes n keys.
func fill(b *testing.B, c *Cluster, n int) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			hc := &http.Client{Transport: &http.Transport{}}
			defer hc.CloseIdleConnections()
			for k := int(next.Add(1)); k <= n; k = int(next.Add(1)) {
				if err := put(b.Context(), hc, c, k%c.Size(), fmt.Sprintf("d%d/k%d", k%100, k), strings.Repeat("v", 64)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := UsageOf(os.Getpid())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || u.ResidentBytes < 1<<20 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := UsageOf(-1); err == nil {
		t.Error("the usage of nobody was told")
	}
}
