package image

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/initrd"
)

// dependencies are as depmod writes them.
const dependencies = `kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko
`

func TestModules(t *testing.T) {
	got, err := order(dependencies, []string{"virtio_blk", "virtio_net"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko", "kernel/drivers/block/virtio_blk.ko",
		"kernel/net/core/failover.ko", "kernel/drivers/net/net_failover.ko", "kernel/drivers/net/virtio_net.ko",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if _, err := order(dependencies, []string{"virtio_blk", "floppy"}); !errors.Is(err, errModule) || err.Error() != "floppy: the kernel has no such module" {
		t.Errorf("a module that isn't there: %v", err)
	}
}

func TestEarly(t *testing.T) {
	dir := t.TempDir()
	if _, err := early(dir, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without modules.dep: %v", err)
	}
	for name, text := range map[string]string{"modules.dep": "kernel/b.ko: kernel/a.ko\nkernel/c.ko:\n", "kernel/a.ko": "one", "kernel/b.ko": "two"} {
		if err := put(dir, rootFile{Path: name, Text: text, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := early(dir, []string{"b"})
	if diff := cmp.Diff([]initrd.Module{{Name: "a.ko", Data: []byte("one")}, {Name: "b.ko", Data: []byte("two")}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := early(filepath.Clean(dir), []string{"c"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a module without its file: %v", err)
	}
}
