package wire

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"drydock/vmlab/wire/fabric"
)

// TapConfig says which tap device to make.
type TapConfig struct {
	// Namespace is the network namespace that it is made in, as an open file; nil
	// is the one of this process.
	Namespace *os.File
	// Name is the device's name, up to 15 bytes: "eth0".
	Name string
	MAC  fabric.MAC // zero: any
	MTU  int        // 0: 1500
}

// OpenTap makes a tap device and switches it on. It needs CAP_NET_ADMIN there.
// The device is gone when the file is closed.
func OpenTap(cfg TapConfig) (*os.File, error) {
	var f *os.File
	open := func() (err error) {
		f, err = openTap(cfg)
		return err
	}
	var err error
	if cfg.Namespace == nil {
		err = open()
	} else {
		err = within(cfg.Namespace, open)
	}
	if err != nil {
		return nil, fmt.Errorf("wire: tap device %q: %w", cfg.Name, err)
	}
	return f, nil
}

func openTap(cfg TapConfig) (*os.File, error) {
	ifr, err := unix.NewIfreq(cfg.Name)
	if err != nil || cfg.Name == "" {
		return nil, fmt.Errorf("name must be 1 to %d bytes", unix.IFNAMSIZ-1)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err == nil {
		err = switchOn(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "tap "+cfg.Name), nil
}

// switchOn sets a device's address and size, and switches it on.
func switchOn(cfg TapConfig) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if cfg.MAC != (fabric.MAC{}) {
		if err := setMAC(fd, cfg); err != nil {
			return fmt.Errorf("address %v: %w", cfg.MAC, err)
		}
	}
	ifr, err := unix.NewIfreq(cfg.Name)
	if err != nil {
		return err
	}
	if cfg.MTU != 0 {
		ifr.SetUint32(uint32(cfg.MTU))
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, ifr); err != nil {
			return fmt.Errorf("MTU %d: %w", cfg.MTU, err)
		}
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return err
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// within runs fn in another network namespace. The thread that ran it is thrown
// away if it can't come back.
func within(namespace *os.File, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer unix.Close(own)
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("namespace %s: %w", namespace.Name(), err)
			return
		}
		err = fn()
		if unix.Setns(own, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// setMAC sets a device's address through a socket; x/sys has no call for it.
func setMAC(fd int, cfg TapConfig) error {
	request := struct { // struct ifreq with a struct sockaddr
		name   [unix.IFNAMSIZ]byte
		family uint16
		mac    fabric.MAC
		_      [16]byte
	}{family: unix.ARPHRD_ETHER, mac: cfg.MAC}
	copy(request.name[:], cfg.Name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFHWADDR, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}
