package keyspace_test

import (
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

const second = int64(time.Second)

// script is a log by hand: one command after another, a second apart, applied
// a tenth of a second after the cluster time that it carries.
type script struct {
	list []history.Committed
	now  int64
}

func (s *script) add(c history.Committed) *script {
	s.now += second
	c.Revision, c.Cluster, c.Time = uint64(len(s.list)+2), s.now, s.now+second/10
	s.list = append(s.list, c)
	return s
}

func (s *script) put(key, value string) *script {
	return s.add(history.Committed{Kind: history.Put, Key: key, Value: value})
}

func (s *script) live(key string, ttl uint64) *script {
	return s.add(history.Committed{Kind: history.Put, Key: key, Value: "v", HasTTL: true, TTL: ttl, Token: key})
}

func (s *script) delete(key string, recursive bool) *script {
	return s.add(history.Committed{Kind: history.Delete, Key: key, Recursive: recursive})
}

func (s *script) expire() *script { return s.add(history.Committed{Kind: history.Expire}) }

func (s *script) replay() *keyspace.Replay { return keyspace.NewReplay(s.list) }

// expect compares a verdict with the status and a part of the summary.
func expect(t *testing.T, v checker.Verdict, want checker.Status, says string) {
	t.Helper()
	if v.Status != want || !strings.Contains(v.Summary, says) {
		t.Errorf("%s %q, want %s %q", v.Status, v.Summary, want, says)
	}
	if (v.Violation != nil) != (want == checker.Violated) {
		t.Errorf("violation %+v with status %s", v.Violation, v.Status)
	}
}

func ptr(s string) *string { return &s }
