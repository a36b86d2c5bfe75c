package scheduler

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"drydock/node/unit"
)

// TestTable: names are found by number as a map would, through growth and removals.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		want := make(map[string]int32)
		draw := rapid.SampledFrom(names30())
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			name := draw.Draw(t, "name")
			if i, known := want[name]; known && rapid.Bool().Draw(t, "remove") {
				s.byName.remove(hashFew(name), i)
				s.pages[i>>pageBits].names[i&(pageUnits-1)] = ""
				s.freeUnits = append(s.freeUnits, i)
				delete(want, name)
			} else if !known {
				want[name] = s.numbered(name)
				s.byName.add(hashFew(name), want[name])
			}
			for _, name := range names30() {
				i, ok := s.find(hashFew(name), name)
				if j, known := want[name]; known != ok || ok && i != j {
					t.Fatalf("%s: found %d, %v, want %d, %v", name, i, ok, j, known)
				}
			}
		}
	})
}

func names30() (list []string) {
	for c := 'a'; c < 'a'+30; c++ {
		list = append(list, string(c))
	}
	return list
}

// hashFew has few values, all for one shard, so that names are in each other's way.
func hashFew(name string) uint64 { return uint64(name[0]%11) * 3 << 32 }

// TestTableGrows: all shards grow, and find what they had.
func TestTableGrows(t *testing.T) {
	s := New()
	list := make([]string, 0, 20_000)
	for i := range cap(list) {
		list = append(list, string(rune('a'+i%26))+unit.Memory+string(rune(i)))
		s.byName.add(s.byName.hash(list[i]), s.numbered(list[i]))
	}
	for i, name := range list {
		if got, ok := s.lookup(name); !ok || got != int32(i) {
			t.Fatalf("%q: %d, %v, want %d", name, got, ok, i)
		}
		if _, ok := s.lookup(name + "x"); ok {
			t.Fatalf("%qx was found", name)
		}
	}
	for i := range s.byName.shards {
		if of := &s.byName.shards[i]; 3*of.n > 2*len(of.slots) {
			t.Fatalf("shard %d has %d of %d slots taken", i, of.n, len(of.slots))
		}
	}
}

// TestGlob: globs match what unit.Glob says.
func TestGlob(t *testing.T) {
	part := rapid.StringOfN(rapid.SampledFrom([]rune(`ab@./*?[]^\-`)), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		text, name := part.Draw(t, "glob"), part.Draw(t, "name")
		if rapid.Bool().Draw(t, "alike") {
			name = part.Draw(t, "before") + name + part.Draw(t, "after")
			text = name[:len(name)/2] + "*" + name[min(len(name), len(name)/2+1):]
		}
		g := newGlob(text)
		if got, want := g.matches(name), unit.Glob(text, name); got != want {
			t.Fatalf("%q and %q: %v, want %v", text, name, got, want)
		}
	})
}

// TestMatching: whoever a pattern matches is found, whatever came and went before.
func TestMatching(t *testing.T) {
	draw := rapid.SampledFrom([]string{"a@1.service", "a@2.service", "a@.service", "aa@1.service", "b.service", "a.service", "@1", "x@y@z", "x@y@"})
	globs := rapid.SampledFrom([]string{"a@*", "a@1*", "a@*.service", "a*", "*", "b.service", "x@y*", "x@y@*", "?@1*", "@*", "a[a@]*"})
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		known := make(map[string]bool)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := draw.Draw(t, "name")
			switch {
			case !known[name]:
				s.SetUnit(Unit{Name: name, Active: rapid.Bool().Draw(t, "active")})
				known[name] = true
			case rapid.IntRange(0, 3).Draw(t, "keep") > 0:
				s.RemoveUnit(name)
				delete(known, name)
				s.Solve(0)
			}
			p := s.patternOf(false, globs.Draw(t, "glob"))
			var got, want []string
			for _, u := range s.matching(p) {
				got = append(got, s.name(u))
			}
			for name := range known {
				if unit.Glob(p.globs[0].text, name) {
					want = append(want, name)
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Fatalf("%s: %q, want %q", p.globs[0].text, got, want)
			}
			s.dropPattern(p)
		}
	})
}

// TestTemplateMembers: a template whose instances come and go keeps no list of all
// that ever were.
func TestTemplateMembers(t *testing.T) {
	s := New()
	s.SetUnit(Unit{Name: "a@stays.service", Active: true})
	for range 1000 {
		s.SetUnit(Unit{Name: "a@goes.service", Active: true})
		s.RemoveUnit("a@goes.service")
		s.Solve(0)
	}
	if n := len(s.names.templates["a@"].members); n > 3*freshMax {
		t.Errorf("%d members of a template with one instance", n)
	}
	if n := s.unitCount; n > 3 {
		t.Errorf("%d numbers for two units", n)
	}
	s.RemoveUnit("a@stays.service")
	if len(s.names.templates) > 0 {
		t.Error("a template without instances is still known")
	}
}
