package qemu

import (
	"fmt"
	"strings"
)

// Program is QEMU for machines of this kind of processor, as it is on the path.
const Program = "qemu-system-x86_64"

// Accelerators.
const (
	// KVM is Linux's.
	KVM = "kvm"
	// HVF is macOS's Hypervisor.framework.
	HVF = "hvf"
	// TCG translates code, and works everywhere.
	TCG = "tcg"
)

// Types of machines.
const (
	// MicroVM has no firmware and no busses but what a machine needs.
	MicroVM = "microvm"
	// Q35 is a PC.
	Q35 = "q35"
)

// Machine is what virtual machines are made of on a host.
type Machine struct {
	Accelerator string `json:"accelerator"`
	Type        string `json:"type"`
}

// String names it.
func (m Machine) String() string { return m.Type + ", " + m.Accelerator }

// translationMiB bounds what TCG keeps of translated code. It takes a third of a
// gigabyte more a machine otherwise, and is no faster for machines that idle.
const translationMiB = 64

// base are the arguments that make a machine without any devices but its console,
// which is QEMU's standard output.
func (m Machine) base() []string {
	machine, accelerator, cpu := m.Type, m.Accelerator, "host"
	if m.Type == MicroVM {
		// Without that clock the kernel can't find out how fast the processor's counter is.
		machine += ",rtc=on"
	}
	if m.Accelerator == TCG {
		accelerator += fmt.Sprintf(",thread=multi,tb-size=%d", translationMiB)
		cpu = "max"
	}
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-machine", machine, "-accel", accelerator, "-cpu", cpu,
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
	}
}

// words are what the kernel of such a machine must be told. CounterKHz is how fast the
// processor's counter is; 0 is not known.
func (m Machine) words(counterKHz int64) []string {
	words := []string{"console=ttyS0", "panic=1", "quiet", "loglevel=4"}
	if m.Type == MicroVM {
		words = append(words, "reboot=t") // it has no keyboard's controller, which could reset it
	}
	if m.Accelerator == TCG && counterKHz > 0 {
		// By itself the kernel would measure the counter by timer interrupts, find that they
		// are late, and go by these.
		words = append(words, fmt.Sprintf("tsc_early_khz=%d", counterKHz), "tsc=reliable")
	}
	return words
}

// device names a virtio device on the machine's bus.
func (m Machine) device(kind string) string {
	if m.Type == MicroVM {
		return "virtio-" + kind + "-device"
	}
	return "virtio-" + kind + "-pci"
}

// Descriptors that QEMU inherits.
const (
	linkFD    = 3
	monitorFD = 4
)

// command is one machine to be started.
type command struct {
	Machine
	Name           string
	MemoryMiB      int64
	CPUs           int
	Kernel, Initrd string
	// CounterKHz is how fast the processor's counter is.
	CounterKHz int64
	// Words are the kernel's, besides those that the machine needs.
	Words []string
	// Disk and Drive are files: a QCOW2 to be written, and the config drive. Image is the
	// disk's that Disk is a layer over.
	Disk, Image, Drive string
	MAC                string
	// Snapshot is a state to begin in; the machine is paused then.
	Snapshot string
}

// Names of QEMU's for a machine's disk.
const diskNode = "disk"

// arguments are the command line.
func (c *command) arguments() []string {
	args := append(c.base(),
		"-name", escape(c.Name), "-m", fmt.Sprintf("%dM", c.MemoryMiB), "-smp", fmt.Sprint(c.CPUs),
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", strings.Join(append(c.words(c.CounterKHz), c.Words...), " "),
		"-blockdev", "node-name="+diskNode+","+layer(c.Disk, c.Image),
		"-device", c.device("blk")+",drive="+diskNode,
		"-blockdev", "driver=raw,node-name=config,read-only=on,file.driver=file,file.filename="+escape(c.Drive),
		"-device", c.device("blk")+",drive=config",
		"-netdev", fmt.Sprintf("stream,id=link,server=off,addr.type=fd,addr.str=%d", linkFD),
		"-device", c.device("net")+",netdev=link,mac="+c.MAC,
		"-device", c.device("rng"),
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control",
	)
	if c.Snapshot != "" {
		args = append(args, "-S", "-loadvm", c.Snapshot)
	}
	return args
}

// layer are the options of a disk that is a layer over an image's. Nobody writes to an
// image, and other labs' machines may hold it: it is not locked.
func layer(disk, image string) string {
	return "driver=qcow2,file.driver=file,file.filename=" + escape(disk) +
		",backing.driver=raw,backing.read-only=on,backing.file.driver=file,backing.file.locking=off,backing.file.filename=" + escape(image)
}

// escape writes a value so that QEMU doesn't end it at a comma.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }
