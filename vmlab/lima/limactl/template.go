package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lima-vm/lima/pkg/limayaml"
)

// machine describes a machine of a lab, as the driver writes it: see description in
// the driver, whose JSON this is.
type machine struct {
	Name string `json:"name"`
	// VMType is what Lima runs it with: qemu or vz; "" leaves it to Lima.
	VMType string `json:"vmType,omitempty"`
	// Arch is Lima's word for the processor: x86_64, aarch64.
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	// Memory and DiskBytes are in bytes.
	Memory    int64 `json:"memory"`
	DiskBytes int64 `json:"diskBytes"`
	// Disk, Kernel and Initrd are files of the image.
	Disk    string `json:"disk"`
	Kernel  string `json:"kernel"`
	Initrd  string `json:"initrd"`
	CmdLine string `json:"cmdLine"`
	// CPUType is a processor model of QEMU; "" is Lima's choice.
	CPUType string `json:"cpuType,omitempty"`
	// User is the one whom Lima lets in.
	User string `json:"user"`
	UID  uint32 `json:"uid"`
	// Drive is a disk of Lima's store that the machine has, too.
	Drive string `json:"drive"`
	// Socket and MAC are of its link to the lab's network.
	Socket string `json:"socket"`
	MAC    string `json:"mac"`
}

// errMachine is matched by the errors of descriptions that are wrong.
var errMachine = errors.New("the machine's description is wrong")

// maxMachine bounds a description, in bytes.
const maxMachine = 1 << 20

// readMachine reads a description. What it doesn't know it refuses: the driver would be
// of another release.
func readMachine(r io.Reader) (*machine, error) {
	d := json.NewDecoder(io.LimitReader(r, maxMachine))
	d.DisallowUnknownFields()
	m := new(machine)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", errMachine, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: more than one of them", errMachine)
	}
	return m, m.check()
}

// check says what is missing, by its key.
func (m *machine) check() error {
	for key, value := range map[string]string{
		"name": m.Name, "arch": m.Arch, "kernel": m.Kernel, "initrd": m.Initrd,
		"disk": m.Disk, "user": m.User, "drive": m.Drive, "socket": m.Socket, "mac": m.MAC,
	} { // any order: one is enough to say
		if value == "" {
			return fmt.Errorf("%w: %s: it is missing", errMachine, key)
		}
	}
	if _, err := net.ParseMAC(m.MAC); err != nil {
		return fmt.Errorf("%w: mac: %w", errMachine, err)
	}
	for key, value := range map[string]int64{"cpus": int64(m.CPUs), "memory": m.Memory, "diskBytes": m.DiskBytes} { // any order: one is enough
		if value < 1 {
			return fmt.Errorf("%w: %s: %d is too small", errMachine, key, value)
		}
	}
	return nil
}

// The resolver that machines ask: QEMU's user network has one at that address.
const resolver = "192.168.5.3"

// lima is the machine as Lima has it.
func (m *machine) lima() *limayaml.LimaYAML {
	no, yes := false, true
	y := &limayaml.LimaYAML{
		Arch: &m.Arch, CPUs: &m.CPUs, Memory: size(m.Memory), Disk: size(m.DiskBytes),
		Images: []limayaml.Image{{
			File:   limayaml.File{Location: m.Disk, Arch: m.Arch},
			Kernel: &limayaml.Kernel{File: limayaml.File{Location: m.Kernel, Arch: m.Arch}, Cmdline: m.CmdLine},
			Initrd: &limayaml.File{Location: m.Initrd, Arch: m.Arch},
		}},
		AdditionalDisks: []limayaml.Disk{{Name: m.Drive, Format: &no}},
		Networks:        []limayaml.Network{{Socket: m.Socket, MACAddress: m.MAC, Interface: "lab0"}},
		User:            limayaml.User{Name: &m.User, UID: &m.UID, Home: at("/home/" + m.User), Shell: at("/bin/bash")},
		// Plain: nothing of Lima's runs in the machine, which has its own units.
		Plain:        &yes,
		SSH:          limayaml.SSH{LoadDotSSHPubKeys: &no, ForwardAgent: &no},
		Firmware:     limayaml.Firmware{LegacyBIOS: &yes},
		Video:        limayaml.Video{Display: at("none")},
		Containerd:   limayaml.Containerd{System: &no, User: &no},
		HostResolver: limayaml.HostResolver{Enabled: &no},
		DNS:          []net.IP{net.ParseIP(resolver)},
		// The machine is on a network of its own: the host's proxies are not there.
		PropagateProxyEnv: &no,
		Message:           fmt.Sprintf("%s is a machine of a lab: drydock lab status\n", m.Name),
	}
	if m.VMType != "" {
		y.VMType = &m.VMType
	}
	if m.CPUType != "" {
		y.CPUType = limayaml.CPUType{m.Arch: m.CPUType}
	}
	return y
}

// size writes a size as Lima reads it.
func size(n int64) *string { return at(strconv.FormatInt(n, 10)) }

func at(text string) *string { return &text }

// template is the machine's template, which Lima finds right.
func (m *machine) template() ([]byte, error) {
	text, err := limayaml.Marshal(m.lima(), false)
	if err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	// Defaults, as MACs, follow from where the template is to be.
	y, err := limayaml.Load(text, filepath.Join(dir, m.Name, "lima.yaml"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := limayaml.Validate(y, false); err != nil {
		return nil, fmt.Errorf("%s: Lima refuses its template: %w", m.Name, err)
	}
	return text, nil
}
