package lima

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
)

// description is what drydock-lima makes a template of. Its JSON is what that program
// reads; testdata/machine.json is what both are tested with.
type description struct {
	Name      string `json:"name"`
	VMType    string `json:"vmType,omitempty"`
	Arch      string `json:"arch"`
	CPUs      int    `json:"cpus"`
	Memory    int64  `json:"memory"`
	DiskBytes int64  `json:"diskBytes"`
	Disk      string `json:"disk"`
	Kernel    string `json:"kernel"`
	Initrd    string `json:"initrd"`
	CmdLine   string `json:"cmdLine"`
	CPUType   string `json:"cpuType,omitempty"`
	User      string `json:"user"`
	UID       uint32 `json:"uid"`
	Drive     string `json:"drive"`
	Socket    string `json:"socket"`
	MAC       string `json:"mac"`
}

// The user whom images have, and Lima lets in.
const (
	imageUser = "core"
	imageUID  = 1000
)

// defaultMemory is what a machine has if the lab file doesn't say.
const defaultMemory = 512 << 20

// What Lima runs machines with.
const (
	vmQEMU = "qemu"
	vmVZ   = "vz"
)

// platform is what descriptions depend on besides.
type platform struct{ system, arch string }

// here is where this program runs.
func here() platform { return platform{runtime.GOOS, runtime.GOARCH} }

// vmType is what Lima is to run machines with: Apple's framework where there is one.
func (p platform) vmType() string {
	if p.system == "darwin" {
		return vmVZ
	}
	return vmQEMU
}

// consoles are what kernels call their first serial line.
func (p platform) console() string {
	if p.vmType() == vmVZ {
		return "hvc0"
	}
	if p.arch == "arm64" {
		return "ttyAMA0"
	}
	return "ttyS0"
}

// limaArch is Lima's word for a processor.
func (p platform) limaArch() string {
	if word, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[p.arch]; ok {
		return word
	}
	return p.arch
}

// describe describes a machine that boots an image of diskBytes bytes.
func (p platform) describe(m *lab.Machine, i *image.Image, diskBytes int64, home string) *description {
	d := &description{
		Name: m.Name, VMType: p.vmType(), Arch: p.limaArch(), CPUs: max(1, int(m.CPUs)), Memory: m.MemoryMax, DiskBytes: diskBytes,
		Disk: i.Disk(), Kernel: i.Vmlinuz(), Initrd: i.Initrd(), CmdLine: p.words(m),
		User: imageUser, UID: imageUID, Drive: m.Name, Socket: socketOf(home, m.Name), MAC: m.MAC,
	}
	if d.Memory == 0 {
		d.Memory = defaultMemory
	}
	if d.VMType == vmQEMU {
		d.CPUType = "max" // of the host's processor with KVM, and of all that QEMU can do without
	}
	return d
}

// words are the kernel's command line. A kernel that has panicked boots again.
func (p platform) words(m *lab.Machine) string {
	return strings.Join([]string{
		"console=" + p.console(), "root=/dev/vda", "rw", "quiet", "loglevel=4", "panic=1", "apparmor=0", "systemd.show_status=0",
		"systemd.hostname=" + m.Name, "systemd.machine_id=" + m.ID,
	}, " ")
}

// socketOf is where a machine's link to the lab's network is plugged in.
func socketOf(home, name string) string {
	return filepath.Join(home, wireDir, fmt.Sprintf("%s.sock", name))
}
