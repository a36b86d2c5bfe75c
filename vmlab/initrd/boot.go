package initrd

// Numbers of system calls on x86-64.
// (Linux, arch/x86/entry/syscalls/syscall_64.tbl)
const (
	sysWrite        = 1
	sysOpen         = 2
	sysClose        = 3
	sysNanosleep    = 35
	sysExecve       = 59
	sysChdir        = 80
	sysChroot       = 161
	sysMount        = 165
	sysReboot       = 169
	sysFinitModule  = 313
	mountMove       = 8192
	rebootMagic1    = 0xfee1dead
	rebootMagic2    = 672274793
	rebootPowerOff  = 0x4321fedc
	standardError   = 2
	millisecond     = 1_000_000
	diskRetries     = 1000
	diskRetryPeriod = 10 * millisecond
)

// Module is a kernel's module, to be loaded after those before it.
type Module struct {
	// Name is its file's, without a directory.
	Name string
	Data []byte
}

// Where things are in the archive.
const (
	modulesDir = "modules"
	rootDir    = "root"
)

// Disk is the device that a machine's root is on.
const Disk = "/dev/vda"

// Boot is an archive that loads modules, mounts Disk, which has an ext4, and runs
// the init that is there. A module that can't be loaded is passed over: a machine
// need not have what it is for.
func Boot(modules []Module) []byte {
	entries := base()
	entries = append(entries, Entry{Path: modulesDir, Mode: kindDir | 0o755}, Entry{Path: rootDir, Mode: kindDir | 0o755})
	p := new(Program)
	for _, m := range modules {
		file := modulesDir + "/" + m.Name
		entries = append(entries, Entry{Path: file, Mode: kindFile | 0o644, Data: m.Data})
		p.load("/" + file)
	}
	p.must("no device nodes", func() {
		p.Call(sysMount, p.Text("dev"), p.Text("/dev"), p.Text("devtmpfs"), Number(0), Number(0))
	})
	p.must("the disk "+Disk+" can't be mounted", func() {
		p.Retry(diskRetries, func() {
			p.Call(sysMount, p.Text(Disk), p.Text("/"+rootDir), p.Text("ext4"), Number(0), Number(0))
		}, func() { p.sleep(diskRetryPeriod) })
	})
	p.must("the device nodes can't be moved", func() {
		p.Call(sysMount, p.Text("/dev"), p.Text("/"+rootDir+"/dev"), Number(0), Number(mountMove), Number(0))
	})
	p.must("the disk's directory can't be entered", func() { p.Call(sysChdir, p.Text("/"+rootDir)) })
	p.must("the disk can't be made the root", func() {
		p.Call(sysMount, p.Text("."), p.Text("/"), Number(0), Number(mountMove), Number(0))
	})
	p.must("the disk can't be made the root", func() { p.Call(sysChroot, p.Text(".")) })
	p.must("the disk has no /sbin/init that can be run", func() {
		init := p.Text("/sbin/init")
		p.Call(sysExecve, init, p.Words(init, Number(0)), p.Words(p.Text("HOME=/"), p.Text("TERM=linux"), Number(0)))
	})
	return Archive(append(entries, Entry{Path: "init", Mode: kindFile | 0o755, Data: p.Executable()}))
}

// Said is what the machine of Probe says on its console.
const Said = "drydock: this kernel runs programs"

// Probe is an archive that only says so, and switches the machine off.
func Probe() []byte {
	p := new(Program)
	p.say(Said)
	p.powerOff()
	return Archive(append(base(), Entry{Path: "init", Mode: kindFile | 0o755, Data: p.Executable()}))
}

// base are the entries that every archive has: the console is the first program's
// standard input, output and error.
func base() []Entry {
	return []Entry{
		{Path: "dev", Mode: kindDir | 0o755},
		{Path: "dev/console", Mode: kindChar | 0o600, Major: 5, Minor: 1},
	}
}

// load loads a module.
func (p *Program) load(file string) {
	p.Call(sysOpen, p.Text(file), Number(0), Number(0))
	p.Keep()
	p.Call(sysFinitModule, Result(), p.Text(""), Number(0))
	p.IfFailed(func() { p.say("module " + file + " can't be loaded") })
	p.Call(sysClose, Result())
}

// must ends the machine if a call has failed.
func (p *Program) must(otherwise string, call func()) {
	call()
	p.IfFailed(func() {
		p.say(otherwise)
		p.powerOff()
	})
}

func (p *Program) say(text string) {
	text = "init: " + text + "\n"
	p.Call(sysWrite, Number(standardError), p.Text(text), Number(int64(len(text))))
}

// sleep waits for less than a second.
func (p *Program) sleep(nanoseconds int64) {
	p.Call(sysNanosleep, p.Words(Number(0), Number(nanoseconds)), Number(0))
}

// powerOff switches the machine off.
func (p *Program) powerOff() {
	p.Call(sysReboot, Number(rebootMagic1), Number(rebootMagic2), Number(rebootPowerOff), Number(0))
}
