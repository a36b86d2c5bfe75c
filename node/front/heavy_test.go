package front_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"drydock/node/front"
)

// TestLargeAnswersBesideSmallOnes are written by another goroutine, and are both whole.
func TestLargeAnswersBesideSmallOnes(t *testing.T) {
	t.Parallel()
	s := serve(t, front.Options{})
	for _, key := range []string{"d/a", "d/b", "d/c", "small"} {
		s.put(t, key, strings.Repeat(key[len(key)-1:], 2000))
	}
	var asking sync.WaitGroup
	for _, target := range []string{"d?recursive=true", "small", "d?recursive=true&sorted=true", "d/a"} {
		c, r := s.dial(t, "")
		asking.Go(func() {
			first := ""
			for range 100 {
				_, err := io.WriteString(c, "GET /v2/keys/"+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
				body, errRead := bodyOf(r)
				if first == "" {
					first = body
				}
				if err != nil || errRead != nil || body != first || !strings.Contains(body, `"action":"get"`) {
					t.Errorf("%s: %.200q, %v, %v", target, body, err, errRead)
					return
				}
			}
		})
	}
	asking.Wait()
}

func bodyOf(r *bufio.Reader) (string, error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
