package front_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"drydock/node/front"
)

// The benchmarks count what a client sees of one member: HTTP by loopback, both
// ends in this process, and the disk under the temporary directory.

func BenchmarkGet(b *testing.B)        { benchmark(b, "GET", "", 1) }
func BenchmarkGetQuorum(b *testing.B)  { benchmark(b, "GET", "?quorum=true", 1) }
func BenchmarkPut(b *testing.B)        { benchmark(b, "PUT", "", 1) }
func BenchmarkPutOf32(b *testing.B)    { benchmark(b, "PUT", "", 32) }
func BenchmarkGetOf32(b *testing.B)    { benchmark(b, "GET", "", 32) }
func BenchmarkQuorumOf32(b *testing.B) { benchmark(b, "GET", "?quorum=true", 32) }

func benchmark(b *testing.B, method, query string, clients int) {
	s := serve(b, front.Options{})
	s.put(b, "a", "1")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	form := ""
	if method == "PUT" {
		form = "value=" + strings.Repeat("x", 256)
	}
	b.ReportAllocs()
	b.SetParallelism(clients)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest(method, s.url+"/v2/keys/a"+query, strings.NewReader(form))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
