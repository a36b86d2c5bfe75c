package machine

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// memoryBytes is what the kernel says that there is (proc_meminfo(5)).
func memoryBytes() (int64, error) {
	const path = "/proc/meminfo"
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			var kib int64
			if _, err := fmt.Sscan(value, &kib); err != nil {
				return 0, fmt.Errorf("%s: %q: %w", path, lines.Text(), err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("%s: there is no MemTotal", path)
}
