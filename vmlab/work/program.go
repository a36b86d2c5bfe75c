package work

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Name is the name under which this program is what units run.
const Name = "drydock-work"

// Socket is the name of the observer's socket, beside the program.
const Socket = "observer.sock"

// BeatEvery is how often a process writes that it runs.
const BeatEvery = 20 * time.Millisecond

// Program is what a process is told to do, by words on its command line.
type Program struct {
	// Unit and Edition name what it runs for: unit=NAME edition=N.
	Unit    string
	Edition int
	// Up is the time until it says that it is ready; Life, if set, until it ends by
	// itself, half to one and a half of it, with Code; Down from a signal to its end.
	Up, Life, Down time.Duration
	Code           int
	// Hangs says that it doesn't end when it is told to; Dud is the chance, in
	// hundredths, that it ends at once with code 1.
	Hangs bool
	Dud   int
}

// ErrWord is matched by words that no program has.
var ErrWord = errors.New("no word of a program")

// Parse reads a program's words, which are those of the simulator's units.
func Parse(words []string) (Program, error) {
	p := Program{Edition: 1}
	for _, word := range words {
		if err := p.word(word); err != nil {
			return Program{}, fmt.Errorf("%q: %w", word, err)
		}
	}
	if p.Unit == "" {
		return Program{}, fmt.Errorf("unit: %w: it is missing", ErrWord)
	}
	return p, nil
}

func (p *Program) word(word string) (err error) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "unit":
		p.Unit = value
	case "edition":
		p.Edition, err = number(value, 1, 1<<30)
	case "up":
		p.Up, err = span(value)
	case "life":
		p.Life, err = span(value)
	case "down":
		p.Down, err = span(value)
	case "code":
		p.Code, err = number(value, 0, 255)
	case "dud":
		p.Dud, err = number(strings.TrimSuffix(value, "%"), 0, 100)
	case "hangs":
		p.Hangs = true
		if word != key {
			err = fmt.Errorf("%w: it takes no value", ErrWord)
		}
	default:
		err = ErrWord
	}
	return err
}

func span(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: a time as 300ms is wanted", ErrWord)
	}
	return d, nil
}

func number(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%w: a number from %d to %d is wanted", ErrWord, least, most)
	}
	return n, nil
}
