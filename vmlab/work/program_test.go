package work

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		words string
		want  Program
		says  string // what the error says, if there is one
	}{
		{"unit=a.service", Program{Unit: "a.service", Edition: 1}, ""},
		{
			"unit=a@1.service edition=3 up=50ms life=2s code=7 down=1500ms dud=20% hangs",
			Program{Unit: "a@1.service", Edition: 3, Up: 50 * time.Millisecond, Life: 2 * time.Second, Code: 7, Down: 1500 * time.Millisecond, Dud: 20, Hangs: true},
			"",
		},
		{"up=50ms", Program{}, "unit: no word of a program: it is missing"},
		{"unit=a up=fifty", Program{}, `"up=fifty": no word of a program: a time as 300ms is wanted`},
		{"unit=a life=-1s", Program{}, `"life=-1s": no word`},
		{"unit=a code=256", Program{}, "a number from 0 to 255 is wanted"},
		{"unit=a edition=0", Program{}, `"edition=0"`},
		{"unit=a dud=101%", Program{}, "a number from 0 to 100"},
		{"unit=a hangs=yes", Program{}, "it takes no value"},
		{"unit=a sleeps", Program{}, `"sleeps": no word of a program`},
	}
	for _, tc := range tests {
		got, err := Parse(strings.Fields(tc.words))
		if tc.says == "" && err != nil || tc.says != "" && (!errors.Is(err, ErrWord) || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: error %v, want %q", tc.words, err, tc.says)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.words, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("unit=a.service edition=3 up=50ms life=2s code=7 down=1500ms dud=20% hangs")
	f.Fuzz(func(t *testing.T, words string) {
		p, err := Parse(strings.Fields(words))
		if err == nil && (p.Unit == "" || p.Edition < 1 || p.Up < 0 || p.Life < 0 || p.Down < 0) {
			t.Errorf("%q is taken as %+v", words, p)
		}
	})
}
