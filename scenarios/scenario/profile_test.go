package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const profilePath = "testdata/profile.yaml"

func goodProfile(t testing.TB) (text string, p *Profile) {
	t.Helper()
	b, err := os.ReadFile(profilePath)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = ParseProfile("profile.yaml", b); err != nil {
		t.Fatal(err)
	}
	return string(b), p
}

// TestAProfileIsWrittenAsItIsRead: the file in testdata is what Encode writes.
func TestAProfileIsWrittenAsItIsRead(t *testing.T) {
	text, p := goodProfile(t)
	if diff := cmp.Diff(text, string(p.Encode())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d, err := p.Fsync.Dist()
	if err != nil || p.Fsync.P50 != 124*time.Microsecond {
		t.Fatal(p.Fsync, err)
	}
	_ = d
}

// TestProfilesThatAreWrong edits the good profile in each case of the script and
// shows what is said of it.
func TestProfilesThatAreWrong(t *testing.T) {
	good, _ := goodProfile(t)
	datadriven.RunTest(t, filepath.Join("testdata", "profile-errors.txt"), func(t *testing.T, d *datadriven.TestData) string {
		text := d.Input
		if d.Cmd == "replace" {
			old, with, _ := strings.Cut(d.Input, "\n")
			if !strings.Contains(good, old) {
				d.Fatalf(t, "%q is not in the good profile", old)
			}
			text = strings.Replace(good, old, with, 1)
		}
		_, err := ParseProfile("profile.yaml", []byte(text))
		var all *Errors
		if !errors.As(err, &all) {
			return "no error\n"
		}
		return err.Error() + "\n"
	})
}

// TestSpreads: quantiles are values that were measured, and come back as such.
func TestSpreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		list := make([]time.Duration, n)
		for i := range list {
			list[i] = time.Duration(i + 1)
		}
		s := SpreadOf(list)
		if s.Samples != n || s.Least != 1 || s.Most != time.Duration(n) {
			t.Fatal(s)
		}
		for _, q := range s.quantiles() {
			if short, want := int64(*q.of)*1000, int64(q.share)*int64(n); q.share > 0 && (short < want || short >= want+1000) {
				t.Fatalf("%d times: %s is %d", n, q.name, *q.of)
			}
		}
		if _, err := s.Dist(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTheProfilesSchemaNamesEveryKey, and each quantile.
func TestTheProfilesSchemaNamesEveryKey(t *testing.T) {
	s := ProfileSchema()
	for _, f := range []string{"drydock-profile", "driver", "machines", "link", "request", "fsync", "start", "boot"} {
		if s.Properties[f] == nil {
			t.Errorf("the schema lacks %s", f)
		}
	}
	if len(s.Properties["link"].Required) != 10 {
		t.Errorf("link needs %v", s.Properties["link"].Required)
	}
}

// FuzzProfile: what parses is written as something that parses to the same.
func FuzzProfile(f *testing.F) {
	text, _ := goodProfile(f)
	f.Add([]byte(text))
	f.Add([]byte("drydock-profile: 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProfile("f", text)
		if err != nil {
			if all := new(Errors); !errors.As(err, &all) || len(all.Problems) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again, err := ParseProfile("f", p.Encode())
		if err != nil {
			t.Fatalf("%v\n%s", err, p.Encode())
		}
		if diff := cmp.Diff(string(p.Encode()), string(again.Encode())); diff != "" {
			t.Fatal(diff)
		}
		for _, s := range p.spreads() { // any order: each is looked at by itself
			if _, err := s.Dist(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
