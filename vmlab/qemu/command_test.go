package qemu

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
)

func sample(m Machine) *command {
	return &command{
		Machine: m, Name: "core-01", MemoryMiB: 256, CPUs: 2, Kernel: "/i/vmlinuz", Initrd: "/i/initrd.img",
		Words: []string{"a=b"}, CounterKHz: 2596000, Disk: "/l/a,b/disk.qcow2", Image: "/i/root.ext4", Drive: "/l/config.ext4", MAC: "02:dd:00:00:00:65",
	}
}

func TestArguments(t *testing.T) {
	c := sample(Machine{TCG, MicroVM})
	c.Snapshot = "before"
	want := `-nodefaults
-no-user-config
-display none
-machine microvm,rtc=on
-accel tcg,thread=multi,tb-size=64
-cpu max
-chardev stdio,id=console,signal=off
-serial chardev:console
-name core-01
-m 256M
-smp 2
-kernel /i/vmlinuz
-initrd /i/initrd.img
-append console=ttyS0 panic=1 quiet loglevel=4 reboot=t tsc_early_khz=2596000 tsc=reliable a=b
-blockdev node-name=disk,driver=qcow2,file.driver=file,file.filename=/l/a,,b/disk.qcow2,backing.driver=raw,backing.read-only=on,backing.file.driver=file,backing.file.locking=off,backing.file.filename=/i/root.ext4
-device virtio-blk-device,drive=disk
-blockdev driver=raw,node-name=config,read-only=on,file.driver=file,file.filename=/l/config.ext4
-device virtio-blk-device,drive=config
-netdev stream,id=link,server=off,addr.type=fd,addr.str=3
-device virtio-net-device,netdev=link,mac=02:dd:00:00:00:65
-device virtio-rng-device
-chardev socket,id=monitor,fd=4
-mon chardev=monitor,mode=control
-S
-loadvm before`
	got := strings.ReplaceAll("\n"+strings.Join(c.arguments(), " "), " -", "\n-")
	if diff := cmp.Diff("\n"+want, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// TestArgumentsOfPC: a PC with an accelerator has devices on a bus, and needs no
// help to measure time or to boot again.
func TestArgumentsOfPC(t *testing.T) {
	got := strings.Join(sample(Machine{KVM, Q35}).arguments(), " ")
	for _, want := range []string{"-machine q35 -accel kvm -cpu host ", "virtio-blk-pci,drive=disk", "virtio-net-pci,", "-append console=ttyS0 panic=1 quiet loglevel=4 a=b -"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	for _, not := range []string{"-S", "-loadvm", "tb-size", "tsc", "rtc"} {
		if strings.Contains(got, not) {
			t.Errorf("%q in %s", not, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"network: {path: kernel}":        `network.path: kernel: the driver qemu can't: it lacks the capability "root": a bridge is the host's`,
		"machines: [{shares: [./a:/b]}]": "shares of core: the driver qemu can't: its machines have disks of their own alone",
		"machines: [{cpus: 2}]":          "",
		"machines: [{cpus: 1.5}]":        "cpus of core: 1.5: the driver qemu can't: its machines have whole processors",
		"machines: [{cpus: 65}]":         "cpus of core: 65: the driver qemu can't: its machines have at most 64",
		"machines: [{memory: 64MiB}]":    "memory of core-01: 64 MiB: the driver qemu can't: a kernel needs 96 MiB",
		"machines: [{memory: 96MiB}]":    "",
	} {
		s, err := lab.Parse("lab.yaml", []byte("lab: t\n"+text+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, missing := "", new(lab.MissingError)
		if err := New().Check(s); err != nil {
			got = err.Error()
			if !errors.As(err, &missing) {
				t.Errorf("%s: %T", text, err)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestComplete(t *testing.T) {
	for want, m := range map[bool]image.Manifest{
		true:  {Name: "coreos", QEMU: "6.1", DiskBytes: 1},
		false: {Name: "coreos", UML: true, DiskBytes: 1},
	} {
		if err := complete(&image.Image{Manifest: m}); (err == nil) != want {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// TestCounter: the counter is as fast as itself.
func TestCounter(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		if n := counterKHz(); n != 0 {
			t.Errorf("the counter of %s: %d kHz", runtime.GOARCH, n)
		}
		return
	}
	a, b := counterKHz(), counterKHz()
	if a < 100_000 || math.Abs(float64(a-b)) > float64(a)/100 {
		t.Errorf("%d kHz, and then %d", a, b)
	}
}
