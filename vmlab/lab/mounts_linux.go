package lab

import (
	"os"
	"strings"
)

// mountsBelow lists what is mounted in or below a directory. (proc(5), mountinfo)
func mountsBelow(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mountsIn(string(text), dir), nil
}

// escapes are how the kernel writes characters of paths that would end a field.
var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func mountsIn(text, dir string) (list []string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if at := escapes.Replace(f[4]); at == dir || strings.HasPrefix(at, dir+"/") {
			list = append(list, at)
		}
	}
	return list
}
