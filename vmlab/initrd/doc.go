// Package initrd makes what a virtual machine's kernel runs before it has its root:
// an archive with the modules that its disk takes, and a program that loads them,
// mounts the disk and hands over to the init there.
//
// Distributions' kernels have the drivers of virtual machines as modules, and the
// first program can't use anything of a disk that it has yet to mount. That program
// is a list of system calls with a few tests between them; a Program turns such a
// list into an executable of a few kilobytes by itself. So an image needs no
// compiler, no shell and no C library to be built for, and a machine no time or
// memory to start from it.
//
// Invariants:
//
//   - The archive is a function of what goes into it: no clock, no host's names.
//   - What fails is said on the console, and the machine switches itself off.
//
// Files: boot.go the programs; program.go executables of system calls; archive.go
// the archive.
package initrd
