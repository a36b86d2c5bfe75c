package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// recipeVersion goes up when what this package does to a root changes in ways that
// the rest of a recipe doesn't show.
const recipeVersion = 5

// recipe is all that an image follows from but the program.
type recipe struct {
	Version  int
	Suite    string
	Mirror   string
	Packages []string
	Files    []rootFile
	Masks    []string
	// Generators are left out, too, and the Removed links.
	Generators []string
	Removed    []string
	UML        bool
	// Early are the modules that the kernel for virtual machines starts with; none where
	// there is no such kernel.
	Early []string
	// Front and Containers are there with Docker.
	Front      []rootFile
	Containers []container
}

// digest tells recipes apart.
func (r *recipe) digest() string {
	text, _ := json.Marshal(r) // it has nothing that can't be JSON
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// rootFile is a file that is put into the root.
type rootFile struct {
	Path, Text string
	Mode       uint32
}

// corePackages are what every image has: systemd and D-Bus, and what the units, the
// config drive and people who look around need.
var corePackages = []string{
	"systemd", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "openssh-server", "sudo", "ca-certificates", "procps", "iputils-ping",
	// Its client asks for addresses where someone else than the lab gives them.
	"busybox-static",
	"curl", "vim-tiny",
}

// dockerPackages are the container runtime.
var dockerPackages = []string{"docker.io", "iptables"}

// newRecipe makes the recipe of a call.
func newRecipe(o *Options) *recipe {
	packages := slices.Clone(corePackages)
	if o.Docker {
		packages = append(packages, dockerPackages...)
	}
	r := &recipe{
		Version: recipeVersion, Suite: o.Suite, Mirror: o.Mirror,
		Packages: append(packages, o.Packages...), Files: rootFiles, Masks: masks, Generators: generators, Removed: removed, UML: o.UML,
	}
	if o.QEMU {
		r.Early = earlyModules
	}
	if o.Docker {
		r.Front, r.Containers = dockerFiles, containerImages
	}
	return r
}

// masks are units that machines of a lab have no use for: they cost seconds of a
// boot, most of all where the processor is emulated, or wait for devices that
// nobody announces.
var masks = []string{
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
	"getty.target", "getty@tty1.service", "console-getty.service", "container-getty@.service", "serial-getty@.service", "getty-static.service",
	"modprobe@.service", "systemd-pstore.service", "systemd-binfmt.service",
	"systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-udev-trigger.service", "systemd-udev-settle.service",
	"systemd-modules-load.service", "systemd-hwdb-update.service", "systemd-firstboot.service", "systemd-rfkill.service", "systemd-rfkill.socket",
	"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount", "systemd-ask-password-wall.path", "systemd-ask-password-console.path",
	"systemd-tmpfiles-setup-dev.service", "systemd-tmpfiles-clean.timer", "systemd-journal-flush.service", "systemd-update-done.service",
	"systemd-sysusers.service", "systemd-random-seed.service", "kmod-static-nodes.service", "systemd-remount-fs.service",
	"systemd-networkd-wait-online.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
}

// generators are systemd's that find nothing on such machines, and are asked at each
// boot and reload.
var generators = []string{
	"systemd-bless-boot-generator", "systemd-cryptsetup-generator", "systemd-debug-generator", "systemd-fstab-generator", "systemd-getty-generator",
	"systemd-gpt-auto-generator", "systemd-hibernate-resume-generator", "systemd-integritysetup-generator", "systemd-rc-local-generator",
	"systemd-run-generator", "systemd-system-update-generator", "systemd-sysv-generator", "systemd-veritysetup-generator",
}

// removed are links of packages that are removed. logind starts when somebody asks it:
// whoever reboots a machine, for one.
var removed = []string{"usr/lib/systemd/system/multi-user.target.wants/systemd-logind.service"}

// enabled are units that start at each boot.
var enabled = []string{"drydock-config.service", "ssh.service"}

// disabled are units that packages enable, and that start when a cloud-config asks
// for them.
var disabled = []string{"docker.service", "docker.socket", "containerd.service"}

// ConfigDrive is where machines find their config drive.
const ConfigDrive = "/media/configdrive"

// GuestProgram is where the program is on machines.
const GuestProgram = "/usr/bin/drydock"

// rootFiles are what makes a Debian a machine of a lab.
var rootFiles = []rootFile{
	{"/etc/systemd/system/drydock-config.service", configService, 0o644},
	{"/etc/systemd/system/etcd.service", etcdService, 0o644},
	{"/etc/systemd/system/fleet.service", fleetService, 0o644},
	{"/etc/systemd/system/ssh.service.d/10-keys.conf", sshDropIn, 0o644},
	{"/etc/ssh/sshd_config.d/10-lab.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nUseDNS no\nPasswordAuthentication no\nAuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys.d/cloud-config\n", 0o644},
	{"/etc/systemd/system/docker.service.d/10-lab.conf", dockerDropIn, 0o644},
	{"/etc/sudoers.d/core", "core ALL=(ALL) NOPASSWD: ALL\n", 0o440},
	{"/etc/systemd/journald.conf.d/10-lab.conf", "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToConsole=no\n", 0o644},
	// What doesn't hear SIGTERM, as a shell in a container, is not waited for as long as
	// on a machine that matters.
	{"/etc/systemd/system.conf.d/10-lab.conf", "[Manager]\nDefaultTimeoutStopSec=10s\n", 0o644},
	{"/etc/fstab", "", 0o644},
	{"/etc/hostname", "localhost\n", 0o644},
	{"/etc/machine-id", "", 0o444},
}

// configService carries out what the config drive asks for. The program of the lab,
// where the drive has one, takes the image's place first.
const configService = `[Unit]
Description=Configure this machine from its config drive
After=local-fs.target dbus.service systemd-tmpfiles-setup.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=-/bin/sh -c 'mkdir -p /mnt/lima-cidata; for from in LABEL=cidata /dev/sr0; do mount -o ro,mode=0700,dmode=0700,overriderockperm,uid=0 $from /mnt/lima-cidata 2>/dev/null && break; done'
ExecStartPre=/bin/sh -c 'mkdir -p /media/configdrive; test -e /media/configdrive/openstack || mount -o ro LABEL=config-2 /media/configdrive || test -e /mnt/lima-cidata/meta-data'
ExecStartPre=/bin/sh -c 'test ! -e /media/configdrive/drydock/program || mount --bind /media/configdrive/drydock/program /usr/bin/drydock'
ExecStart=/usr/bin/drydock node firstboot --seed /mnt/lima-cidata /media/configdrive
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
`

// etcdService is the node: one process is etcd and fleet. Stopping it ends it alone:
// its guard, which is in the same group, has units to see to.
const etcdService = `[Unit]
Description=etcd
After=network.target drydock-config.service

[Service]
Type=notify
Environment=ETCD_DATA_DIR=/var/lib/drydock
Environment=DRYDOCK_FLEET_SOCKET=/run/fleet.sock
ExecStart=/usr/bin/drydock node $DRYDOCK_FLAGS
Restart=always
RestartSec=1
TimeoutStartSec=infinity
KillMode=process
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
`

// dockerDropIn lets Docker make control groups where the machine is a container,
// whose are mounted to be read only, gives it the images that the machine has, and
// lets the node, which asks it, end before it when the machine is switched off.
const dockerDropIn = `[Service]
ExecStartPre=-/bin/sh -c 'for c in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$c"; done'
ExecStartPost=-/usr/lib/drydock/import-containers
ExecStop=-/bin/sh -c 'n=80; while [ $$n -gt 0 ] && [ "$$(systemctl is-system-running)" = stopping ] && ! systemctl show -P ActiveState etcd | grep -Eq "^(inactive|failed)"; do n=$$((n-1)); sleep 0.1; done'
`

// sshDropIn makes the machine's key. An RSA key would take longer than all the rest
// of a boot.
const sshDropIn = `[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'test -e /etc/ssh/ssh_host_ed25519_key || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
`

// fleetService is active while the node answers as fleet.
const fleetService = `[Unit]
Description=fleet
Requires=etcd.service
PartOf=etcd.service
After=etcd.service

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'until fleetctl --endpoint unix:///run/fleet.sock list-machines >/dev/null; do sleep 0.2; done'

[Install]
WantedBy=multi-user.target
`
