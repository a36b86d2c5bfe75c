package main

import "strings"

// qemuPrefix is how QEMU's programs are called, before the processor.
const qemuPrefix = "qemu-system-"

// What the driver says, in the environment, of how to change QEMU's command line.
const (
	// envQEMU is the path of QEMU itself.
	envQEMU = "DRYDOCK_LIMA_QEMU"
	// envAccel is what accelerates it: the argument of -accel. "" leaves it to Lima.
	envAccel = "DRYDOCK_LIMA_ACCEL"
	// envClosed, if it isn't "", keeps the machine from reaching anything outside.
	envClosed = "DRYDOCK_LIMA_CLOSED"
)

// mend changes QEMU's command line as Lima makes it. Lima takes it for granted that
// KVM works where it is Linux.
func mend(args []string, accel string, closed bool) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		option, value := args[i], ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case value == "help": // asks what there is
			out = append(out, option)
		case accel != "" && option == "-accel":
			i++
		case accel != "" && option == "-machine" && value != "":
			out = append(out, option, machineWithout(value), "-accel", accel)
			i++
		case closed && option == "-netdev" && strings.HasPrefix(value, "user,"):
			out = append(out, option, value+",restrict=on")
			i++
		default:
			out = append(out, option)
		}
	}
	return out
}

// machineWithout is a value of -machine without an accelerator.
func machineWithout(value string) string {
	var kept []string
	for word := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(word, "accel=") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, ",")
}
