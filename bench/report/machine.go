package report

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Machine is where a run was. What a system doesn't tell is empty, or 0.
type Machine struct {
	// CPU is the processor's name, Cores how many of it there are to run on.
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	// Memory is in bytes.
	Memory int64 `json:"memory"`
	// OS is the system with its architecture, Kernel its release.
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	// Disk is the block device that has the servers' data, DiskCache whether it keeps
	// writes back until it is asked to flush them.
	Disk      string `json:"disk"`
	DiskCache string `json:"diskCache,omitempty"`
	// Go is the release that the program was built by.
	Go string `json:"go"`
	// Before and After are the machine's pressure around the run.
	Before Pressure `json:"before"`
	After  Pressure `json:"after"`
}

// Pressure is the share of the last ten seconds and five minutes, in percent, in which
// something waited (Linux's pressure stall information, the lines "some").
type Pressure struct {
	CPU10  float64 `json:"cpu10"`
	CPU300 float64 `json:"cpu300"`
	IO10   float64 `json:"io10"`
	Memory float64 `json:"memory10"`
}

// ThisMachine describes the machine; disk is the name of the device that has the data.
func ThisMachine(disk string) Machine {
	m := Machine{
		CPU: named(text("/proc/cpuinfo"), "model name"), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: strings.TrimSpace(text("/proc/sys/kernel/osrelease")), Disk: disk, Go: runtime.Version(), Before: PressureNow(),
	}
	if kilobytes, _, ok := strings.Cut(named(text("/proc/meminfo"), "MemTotal"), " "); ok {
		n, _ := strconv.ParseInt(kilobytes, 10, 50) // 0, as what isn't told, if it is none
		m.Memory = n << 10
	}
	if disk != "" {
		m.DiskCache = strings.TrimSpace(text(filepath.Join("/sys/class/block", disk, "queue/write_cache")))
	}
	return m
}

// text reads a file of the system's; empty if there is none, as on other systems.
func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

// named finds the value of the first line "name : value".
func named(lines, name string) string {
	for line := range strings.Lines(lines) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// PressureNow reads the machine's pressure.
func PressureNow() Pressure {
	cpu, io, memory := text("/proc/pressure/cpu"), text("/proc/pressure/io"), text("/proc/pressure/memory")
	return Pressure{CPU10: average(cpu, "avg10"), CPU300: average(cpu, "avg300"), IO10: average(io, "avg10"), Memory: average(memory, "avg10")}
}

// average reads a number of the line "some avg10=0.00 avg60=0.00 avg300=0.00 total=0".
func average(lines, name string) float64 {
	first, _, _ := strings.Cut(lines, "\n")
	for _, field := range strings.Fields(first) {
		if key, value, _ := strings.Cut(field, "="); key == name {
			v, _ := strconv.ParseFloat(value, 64) // 0, as what isn't told, if it is none
			return v
		}
	}
	return 0
}

// Difference is something that two runs don't have in common.
type Difference struct {
	What string `json:"what"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Differs lists in what two machines differ that figures depend on. The release of Go
// is the product's, and pressure is what rounds are judged by.
func (m Machine) Differs(old Machine) []Difference {
	var list []Difference
	for _, d := range []Difference{
		{"CPU", old.CPU, m.CPU},
		{"cores", fmt.Sprint(old.Cores), fmt.Sprint(m.Cores)},
		{"memory", gibibytes(old.Memory), gibibytes(m.Memory)},
		{"system", old.OS, m.OS},
		{"kernel", old.Kernel, m.Kernel},
		{"disk", disk(old), disk(m)},
	} {
		if d.Old != d.New {
			list = append(list, d)
		}
	}
	return list
}

// gibibytes rounds: a machine that starts again may have a page more or less.
func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

func disk(m Machine) string {
	switch {
	case m.Disk == "":
		return "none that is known"
	case m.DiskCache == "":
		return m.Disk
	}
	return m.Disk + ", " + m.DiskCache
}
