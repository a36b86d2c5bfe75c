package docker

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRecordsInADirectoryWithAnOddName: the guard must find them there, too.
func TestRecordsInADirectoryWithAnOddName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "units[1]*")
	if list, err := readRecords(dir); err != nil || len(list) > 0 {
		t.Errorf("before there is a directory: %v, %v", list, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&record{Unit: "a.service"}).save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "unit-b.service"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := readRecords(dir); err != nil || len(list) != 1 || list[0].Unit != "a.service" {
		t.Errorf("%v, %v", list, err)
	}
}
