package initrd

import (
	"bytes"
	"fmt"
	"strings"
)

// Entry is a file, a directory or a device of an archive.
type Entry struct {
	// Path is within the archive, without a slash before it.
	Path string
	// Mode is that of stat(2), the kind of file included.
	Mode uint32
	// Major and Minor are a device's.
	Major, Minor uint32
	Data         []byte
}

// Kinds of files, as in stat(2).
const (
	kindDir  = 0o040000
	kindFile = 0o100000
	kindChar = 0o020000
)

// trailer is the name of an archive's last entry.
const trailer = "TRAILER!!!"

// Archive writes entries as the kernel reads them. Directories come before what is
// in them. (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)
func Archive(entries []Entry) []byte {
	var b bytes.Buffer
	for i, e := range append(entries[:len(entries):len(entries)], Entry{Path: trailer}) {
		b.WriteString("070701")
		// Number, mode, owner, group, links, time, size, where it was, which device it is,
		// length of the name, sum. The trailer's number is one more than there are files.
		for _, field := range []uint32{
			uint32(i + 1), e.Mode, 0, 0, 1, 0, uint32(len(e.Data)),
			0, 0, e.Major, e.Minor, uint32(len(e.Path) + 1), 0,
		} {
			fmt.Fprintf(&b, "%08X", field)
		}
		b.WriteString(e.Path + "\x00")
		pad(&b)
		b.Write(e.Data)
		pad(&b)
	}
	return b.Bytes()
}

// pad fills up to a multiple of four bytes.
func pad(b *bytes.Buffer) {
	b.WriteString(strings.Repeat("\x00", -b.Len()&3))
}
