package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed *.yaml
var library embed.FS

// Schema is the JSON schema of scenario files.
//
//go:embed schema.json
var Schema []byte

// exampleName is the file that shows every key; it is shown, not run with the
// rest.
const exampleName = "example"

// Names lists the scenarios of the library in order; the example is the last.
func Names() []string {
	entries, err := fs.ReadDir(library, ".")
	if err != nil {
		panic(fmt.Sprintf("the embedded library can't be listed: %v", err))
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), path.Ext(e.Name())); name != exampleName {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return append(names, exampleName)
}

// Find returns the text of the library's scenario of that name.
func Find(name string) (text []byte, ok bool) {
	if strings.ContainsAny(name, `/\.`) {
		return nil, false
	}
	text, err := library.ReadFile(name + ".yaml")
	return text, err == nil
}
