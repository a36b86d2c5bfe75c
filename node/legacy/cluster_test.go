package legacy_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"drydock/node/legacy"
)

// TestAnyMember asks members in turn: a lock is the cluster's, and so is who leads.
func TestAnyMember(t *testing.T) {
	all := cluster(t, 3, legacy.Options{})
	leader := do(t, "GET", all[0].client+"/v2/leader", "").body
	for _, m := range all {
		if a := do(t, "GET", m.client+"/v1/leader", ""); a.body != leader {
			t.Errorf("%s leads, or %s", leader, a.body)
		}
		machines := do(t, "GET", m.client+"/v2/peers", "").body
		if first, _, _ := strings.Cut(machines, ", "); strings.Count(machines, "http://") != 3 ||
			strings.TrimSuffix(first, ":4001") != strings.TrimSuffix(leader, ":7001") {
			t.Errorf("machines %s, and %s leads", machines, leader)
		}
	}
	const rounds = 4
	held, order := 0, []string(nil)
	var mu sync.Mutex
	var done sync.WaitGroup
	for i, m := range all {
		done.Go(func() {
			for range rounds {
				a, err := try(t.Context(), "POST", m.client+"/mod/v2/lock/l", form("ttl", "30"))
				if err != nil || a.status != http.StatusOK {
					t.Errorf("member %d: %v %+v", i, err, a)
					return
				}
				mu.Lock()
				held++
				if held != 1 {
					t.Error("two hold the lock")
				}
				order = append(order, a.body)
				held--
				mu.Unlock()
				if a := do(t, "DELETE", all[(i+1)%3].client+"/mod/v2/lock/l?index="+a.body, ""); a.status != http.StatusOK {
					t.Errorf("release by another member: %+v", a)
				}
			}
		})
	}
	done.Wait()
	if len(order) != 3*rounds {
		t.Errorf("%d had it: %v", len(order), order)
	}
	for i, m := range all {
		if i > 0 {
			do(t, "PUT", m.client+"/mod/v2/leader/job", form("name", "a", "ttl", "30", "timeout", "0"))
		}
		if a := do(t, "GET", m.client+"/mod/v2/leader/job", ""); i > 0 && a.body != "a" {
			t.Errorf("leader of the job by member %d: %+v", i, a)
		}
	}
}

// TestRemovingAMember takes one out by the peer port of a member that follows.
func TestRemovingAMember(t *testing.T) {
	all := cluster(t, 3, legacy.Options{})
	var machines []struct{ Name, State string }
	if err := json.Unmarshal([]byte(do(t, "GET", all[0].peer+"/v2/admin/machines", "").body), &machines); err != nil {
		t.Fatal(err)
	}
	var follower *member
	var victim string
	for i, name := range []string{"one", "two", "three"} {
		for _, m := range machines {
			if m.Name != name || m.State != "follower" {
				continue
			}
			if follower == nil {
				follower = all[i]
			} else {
				victim = name
			}
		}
	}
	if follower == nil || victim == "" {
		t.Fatalf("machines %v", machines)
	}
	if a := do(t, "DELETE", follower.peer+"/v2/admin/machines/"+victim, ""); a.status != http.StatusOK || a.body != "" {
		t.Fatalf("%+v", a)
	}
	eventually(t, "two members", func() bool {
		return strings.Count(do(t, "GET", follower.peer+"/v2/admin/machines", "").body, `"name"`) == 2
	})
	if a := do(t, "GET", follower.peer+"/v2/admin/machines/"+victim, ""); a.body != "null\n" {
		t.Errorf("%+v", a)
	}
}
