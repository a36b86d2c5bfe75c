package guest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"drydock/vmlab/guest"
)

// TestWriteDisk: the disk has the label that machines look for, and the drive's texts
// and the program are on it.
func TestWriteDisk(t *testing.T) {
	if _, err := guest.Tool(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "drydock")
	if err := os.WriteFile(program, []byte("this is the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := guest.Drive{"openstack/latest/user_data": "#cloud-config\nhostname: here\n"}
	for range 2 { // what is there is replaced
		file, err := d.WriteDisk(t.Context(), program, filepath.Join(dir, "config"))
		if err != nil {
			t.Fatal(err)
		}
		disk, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The volume's name in the superblock. (ext4(5), struct ext4_super_block)
		if label := bytes.TrimRight(disk[1024+0x78:][:16], "\x00"); string(label) != guest.Label {
			t.Errorf("label %q", label)
		}
		for _, text := range []string{"hostname: here", "this is the program"} {
			if !bytes.Contains(disk, []byte(text)) {
				t.Errorf("no %q on the disk", text)
			}
		}
	}
	if _, err := d.WriteDisk(t.Context(), filepath.Join(dir, "nowhere"), filepath.Join(dir, "other")); err == nil {
		t.Error("a program that isn't there")
	}
}
