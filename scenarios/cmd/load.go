package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// source is a scenario file before it is read as one.
type source struct {
	name string
	text []byte
	// listed is true for a file found in a directory, not named by the caller.
	listed bool
}

// sources finds what the arguments name: files, directories, and scenarios of
// the library.
func sources(args []string) ([]source, error) {
	var out []source
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			found, err := inDirectory(arg)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		case err == nil:
			text, err := readFile(arg)
			if err != nil {
				return nil, err
			}
			out = append(out, source{name: arg, text: text})
		case errors.Is(err, fs.ErrNotExist):
			text, ok := scenarios.Find(arg)
			if !ok {
				return nil, notFound(arg)
			}
			out = append(out, source{name: arg, text: text})
		default:
			return nil, ui.Exit(ui.Usage, err)
		}
	}
	return out, nil
}

// inDirectory reads the scenario files of a directory, in order of name.
func inDirectory(dir string) ([]source, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.y*ml"))
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	slices.Sort(files)
	var out []source
	for _, file := range files {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		out = append(out, source{name: file, text: text, listed: true})
	}
	if len(out) == 0 {
		return nil, ui.Usagef("%s holds no scenario file (*.yaml)", dir)
	}
	return out, nil
}

// readFile reads a file of bounded size.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, scenario.MaxFileBytes+1))
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	return text, nil
}

func notFound(arg string) error {
	hint := "`drydock scenario list` names those of the library"
	if near := ui.Nearest(arg, scenarios.Names()); near != "" {
		hint = fmt.Sprintf("did you mean `%s`?", near)
	}
	return ui.Usagef("%s is neither a file nor a scenario of the library\nhint: %s", arg, hint)
}

// load reads all scenarios that the arguments name, for a world. Every problem of every
// file is in the error. Of a directory's files, those that a driver can't do are left
// out, and named in skipped.
func load(args []string, w runner.World) (list []*scenario.Scenario, skipped []string, err error) {
	found, err := sources(args)
	if err != nil {
		return nil, nil, err
	}
	_, driven := w.(runner.Driven)
	var wrong []error
	for _, src := range found {
		s, err := scenario.Parse(src.name, src.text)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		if !slices.Contains(s.RunsOn, w.Name()) {
			if src.listed {
				continue
			}
			wrong = append(wrong, fmt.Errorf("%s: runs on %s, not on %s", src.name, strings.Join(s.RunsOn, ", "), w.Name()))
			continue
		}
		switch why := refusal(s, w); {
		case why == nil:
			list = append(list, s)
		case src.listed && driven:
			line, _, _ := strings.Cut(why.Error(), "\n")
			skipped = append(skipped, line)
		default:
			wrong = append(wrong, why)
		}
	}
	switch {
	case len(wrong) > 0:
		return nil, nil, ui.Exit(ui.Usage, joinErrors(wrong))
	case len(list) == 0 && len(skipped) > 0:
		return nil, nil, ui.Exit(ui.Usage, errors.New(strings.Join(skipped, "\n")))
	case len(list) == 0:
		return nil, nil, ui.Usagef("none of %s runs on %s", strings.Join(args, ", "), w.Name())
	}
	return list, skipped, nil
}

// refusal says what of a scenario a world can't do; nil if it can.
func refusal(s *scenario.Scenario, w runner.World) error {
	if refused := s.Refusals(w.Name(), w.Supports); len(refused) > 0 {
		return &scenario.Errors{Text: s.Text, Problems: refused}
	}
	if choosy, ok := w.(runner.Choosy); ok {
		if err := choosy.Refuse(s); err != nil {
			return fmt.Errorf("%s: the world %s can't: %w", s.File, w.Name(), err)
		}
	}
	return nil
}

// joinErrors puts an empty line between errors that take several lines.
func joinErrors(errs []error) error {
	words := make([]string, len(errs))
	for i, err := range errs {
		words[i] = err.Error()
	}
	return errors.New(strings.Join(words, "\n\n"))
}

// jsonError is the line that --json writes in place of a result.
type jsonError struct {
	Error string `json:"error"`
	Exit  int    `json:"exit"`
}

// inJSON turns an error into its JSON line, if the caller wants JSON: then the
// error that is left has the code and nothing more to say.
func inJSON(env *ui.Env, asked bool, err error) error {
	if err == nil || !asked || err.Error() == "" {
		return err
	}
	writeJSON(env, jsonError{Error: err.Error(), Exit: ui.Code(err)})
	return ui.Exit(ui.Code(err), nil)
}

// writeJSON writes one value as one line.
func writeJSON(env *ui.Env, v any) {
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
