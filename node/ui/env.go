package ui

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// Env is the process as commands see it.
type Env struct {
	// Program is the name that the program was called by, without its folder.
	Program string
	// Args are the arguments without it.
	Args []string
	// Getenv reads an environment variable; "" if absent.
	Getenv func(string) string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// OutTTY and ErrTTY tell whether the streams are terminals.
	OutTTY, ErrTTY bool
	// Width is the terminal's width in columns, 80 if unknown.
	Width int
	// Color is the choice of the --color flag: auto, always, never.
	Color string
	// Executable is the path of this program, for worker processes.
	Executable string

	_ struct{}
}

// OSEnv returns the environment of this process.
func OSEnv() *Env {
	e := &Env{
		Program: strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), Args: os.Args[1:], Getenv: os.Getenv, Width: 80, Color: "auto",
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && w > 0 {
		e.Width = w
	}
	e.Executable = executable()
	return e
}

// executable finds this program as it was called, so that a worker is called
// by the same name.
func executable() string {
	if path, err := exec.LookPath(os.Args[0]); err == nil {
		if whole, err := filepath.Abs(path); err == nil {
			return whole
		}
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// Redraw tells whether progress may move the cursor on stderr.
func (e *Env) Redraw() bool {
	return e.ErrTTY && e.Getenv("TERM") != "dumb" && e.Getenv("CI") == ""
}

// Colored tells whether output to stdout is coloured: --color first, then
// NO_COLOR, then whether a person is likely to look.
func (e *Env) Colored() bool {
	switch e.Color {
	case "always":
		return true
	case "never":
		return false
	}
	return e.OutTTY && e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb"
}

// Style is a way to set off a word.
type Style string

// The styles, as the numbers of the terminal's SGR sequences.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Paint sets text off with styles if output is coloured.
func (e *Env) Paint(text string, styles ...Style) string {
	if !e.Colored() || text == "" || len(styles) == 0 {
		return text
	}
	codes := make([]string, len(styles))
	for i, s := range styles {
		codes[i] = string(s)
	}
	return "\x1b[" + strings.Join(codes, ";") + "m" + text + "\x1b[0m"
}
