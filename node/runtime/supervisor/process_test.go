package supervisor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/unit"
)

// service is what the test's own program does as a unit's process.
func service(what string) {
	switch what {
	case "notify":
		say("STATUS=warming")
		say("STATUS=serving\nREADY=1")
		_, _ = os.Stdin.Read(make([]byte, 1)) // the null device
		select {}
	case "hang":
		say("READY=1")
		select {}
	case "echo":
		f := os.NewFile(3, "listener")
		l, err := net.FileListener(f)
		if err != nil {
			fmt.Println("no socket:", err)
			return
		}
		fmt.Println("sockets", os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), os.Getenv("LISTEN_PID") == fmt.Sprint(os.Getpid()))
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("hello\n"))
		_ = c.Close()
	}
}

// say sends a notification.
func say(text string) {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		fmt.Println("no notification:", err)
		return
	}
	_, _ = c.Write([]byte(text))
	_ = c.Close()
}

// asService is the line that has this program be a unit's process.
func asService(t *testing.T, what string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "Environment=SUPERVISOR_TEST=" + what + "\nExecStart=" + self
}

func TestContext(t *testing.T) {
	b := newBench(t, Options{})
	file := filepath.Join(b.dir, "env")
	if err := os.WriteFile(file, []byte("# none\nA=from file\nexport X\nB='two words'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.load("a.service", "Type=oneshot",
		"Environment=A=first C=kept D=gone", "EnvironmentFile="+file, "EnvironmentFile=-"+file+".missing", "UnsetEnvironment=D",
		"WorkingDirectory=DIR", "UMask=0077", "LimitNOFILE=100:200", "LimitCORE=0", "Nice=5", "SyslogIdentifier=tester",
		`ExecStart=/bin/sh -c 'echo A=$A B=$B C=$C D=$D invocation=$${#INVOCATION_ID}'`,
		`ExecStart=/bin/sh -c 'pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -c; cut -d" " -f19 /proc/self/stat || nice'`,
		`ExecStart=/bin/sh -c 'echo $0 $1 $2' ${A} $B $EMPTY`,
		`ExecStart=:/bin/sh -c 'echo "$1"' x ${A}`,
		`ExecStart=@/bin/sh other -c 'echo name $0'`,
		`ExecStart=/bin/sh -c 'echo to stderr >&2'`,
		`StandardError=append:DIR/errors`)
	b.must(b.Start, "a.service")
	b.until("a.service", "inactive/dead")
	b.says("a.service", "name other")
	dir, err := filepath.EvalSymlinks(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := "A=from file B=two words C=kept D= invocation=32\n" + dir + "\n0077\n100\n200\n0\n5\nfrom file two words\n${A}\nname other\n"
	if got := b.text("a.service"); got != want {
		t.Errorf("journal is\n%swant\n%s", got, want)
	}
	lines, err := b.Journal("a.service", 2, 1)
	if err != nil || len(lines) != 1 || lines[0].Source != "tester" || lines[0].Time.IsZero() {
		t.Errorf("lines %+v, %v", lines, err)
	}
	if text, err := os.ReadFile(filepath.Join(b.dir, "errors")); err != nil || string(text) != "to stderr\n" {
		t.Errorf("errors are %q, %v", text, err)
	}
}

func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may run units as other users")
	}
	b := newBench(t, Options{})
	b.load("a.service", "Type=oneshot", "User=65534", "Group=65533", "SupplementaryGroups=65532",
		`ExecStart=/bin/sh -c 'echo $$(id -u) $$(id -g) $$(id -G)'`, `ExecStart=+/bin/sh -c 'echo root is $$(id -u)'`)
	b.must(b.Start, "a.service")
	b.says("a.service", "65534 65533 65533 65532")
	b.says("a.service", "root is 0")
	b.until("a.service", "inactive/dead")
}

func TestNotify(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "Type=notify", asService(t, "notify"))
	b.must(b.Start, "a.service")
	if s := b.until("a.service", "active/running"); s.Text != "serving" {
		t.Errorf("state is %+v", s)
	}
	b.must(b.Stop, "a.service")

	b.load("b.service", "Type=notify", "WatchdogSec=50ms", asService(t, "hang"))
	b.must(b.Start, "b.service")
	if s := b.until("b.service", "failed/failed"); s.Result != "watchdog" {
		t.Errorf("state is %+v", s)
	}
}

func TestSocket(t *testing.T) {
	b := newBench(t, Options{})
	path := filepath.Join(t.TempDir(), "s")
	if len(path) > 100 {
		t.Skip("the directory for tests has too long a name for a socket")
	}
	b.load("a.service", asService(t, "echo"))
	b.load("a.socket", "ListenStream="+path, "RemoveOnStop=yes", "SocketMode=0600")
	b.must(b.Start, "a.socket")
	b.until("a.socket", "active/listening")
	for range 2 { // the second caller starts it anew
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		text := make([]byte, 16)
		if n, err := c.Read(text); string(text[:n]) != "hello\n" {
			t.Errorf("read %q, %v; journal:\n%s", text[:n], err, b.text("a.service"))
		}
		_ = c.Close()
	}
	b.says("a.service", "sockets 1 a.socket true")
	b.must(b.Stop, "a.socket")
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file is still there")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	b.load("c.socket", "ListenStream="+l.Addr().String(), "Service=a.service")
	b.must(b.Start, "c.socket")
	b.load("d.socket", "ListenStream="+path+"/none", "Service=a.service")
	if o := b.do(b.Start, "d.socket"); o.Result != "failed" {
		t.Errorf("ended %+v", o)
	}
}

func TestTimer(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "Type=oneshot", "ExecStart=/bin/echo tick")
	b.load("a.timer", "OnActiveSec=1ms", "OnUnitInactiveSec=1ms", "AccuracySec=1us")
	b.must(b.Start, "a.timer")
	for range 3 {
		b.says("a.service", "tick")
	}
	b.until("a.timer", "active/waiting")
	b.must(b.Stop, "a.timer")
	if lines, _ := b.Journal("a.service", 0, 10); len(lines) < 1 {
		t.Error("it has never elapsed")
	}
}

func TestJournalIsBounded(t *testing.T) {
	b := newBench(t, Options{JournalBytes: 20_000})
	b.load("a.service", "Type=oneshot", `ExecStart=/bin/sh -c 'i=0; while [ $$i -lt 1000 ]; do echo line $$i; i=$$((i+1)); done; head -c 40000 /dev/zero | tr "\\\\0" x; echo; echo end'`)
	b.must(b.Start, "a.service")
	b.says("a.service", "end")
	lines, err := b.Journal("a.service", 0, 100_000)
	total := 0
	for i, l := range lines {
		total += len(l.Text)
		if len(l.Text) > maxLine || i > 0 && l.Number != lines[i-1].Number+1 {
			t.Errorf("line %d is %d long", l.Number, len(l.Text))
		}
	}
	if err != nil || total > 20_000 || lines[len(lines)-1].Text != "end" {
		t.Errorf("%d lines, %d bytes, %v", len(lines), total, err)
	}
}

// TestTakeOver lets go of a unit and has another supervisor find it.
func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	first := newBench(t, Options{Dir: dir})
	lines := []string{"Restart=always", "RestartSec=1ms", `ExecStart=/bin/sh -c 'echo one; while [ ! -e ` + first.dir + `/go ]; do sleep 0.01; done; echo two; exec sleep 1000'`}
	first.load("a.service", lines...)
	first.must(first.Start, "a.service")
	main := first.until("a.service", "active/running").MainPID
	first.says("a.service", "one")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := startOf(main); !ok {
		t.Fatal("it ended with its supervisor")
	}
	first.Start("a.service", func(o runtime.Outcome) {
		if o.Done() {
			t.Error("a closed supervisor has started something")
		}
	})

	second := newBench(t, Options{Dir: dir})
	second.load("a.service", lines...)
	if s := second.until("a.service", "active/running"); s.MainPID != main {
		t.Errorf("main process %d, was %d", s.MainPID, main)
	}
	if err := os.WriteFile(filepath.Join(first.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second.says("a.service", "two")
	if err := syscall.Kill(main, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second.says("a.service", "one")
	if s := second.until("a.service", "active/running"); s.MainPID == main || s.Restarts != 1 {
		t.Errorf("state is %+v", s)
	}
	second.must(second.Unload, "a.service")
	if _, err := second.State("a.service"); err == nil {
		t.Error("it is still known")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestKillOrphans has units end whose supervisor is gone, with control groups and
// without.
func TestKillOrphans(t *testing.T) {
	for _, groups := range []string{"", fmt.Sprintf("drydock-orphans-%d", os.Getpid())} {
		dir := t.TempDir()
		first := newBench(t, Options{Dir: dir, Groups: groups})
		var mains []int
		for _, name := range []string{"a.service", "b.service", "c.service"} {
			first.load(name, "KillMode=process", `ExecStart=/bin/sh -c 'trap "" TERM; setsid sleep 1000 & echo up; wait'`)
			first.must(first.Start, name)
			first.says(name, "up")
			mains = append(mains, first.until(name, "active/running").MainPID)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "unit-d.service"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		err := KillOrphans(ctx, dir, func(unit string) bool { return unit == "b.service" })
		cancel()
		if err == nil || !strings.Contains(err.Error(), "d.service") || strings.Contains(err.Error(), "a.service") {
			t.Errorf("killed with %v", err)
		}
		first.gone(mains[0])
		first.gone(mains[2])
		if _, ok := startOf(mains[1]); !ok {
			t.Error("the spared one is gone")
		}
		if err := os.Remove(filepath.Join(dir, "unit-d.service")); err != nil {
			t.Fatal(err)
		}
		second := newBench(t, Options{Dir: dir, Groups: groups})
		second.load("a.service", "ExecStart=/bin/true")
		second.load("b.service", "KillMode=control-group", "ExecStart=/bin/true")
		if s, err := second.State("a.service"); err != nil || s.Active != "inactive" {
			t.Errorf("state is %+v, %v", s, err)
		}
		second.until("b.service", "active/running")
		second.Kill("b.service")
		second.until("b.service", "inactive/dead")
		ctx, cancel = context.WithTimeout(context.Background(), patience)
		if err := KillOrphans(ctx, dir, nil); err != nil {
			t.Error(err)
		}
		cancel()
		first.gone(mains[1])
	}
}

func TestShutdownInTime(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", `ExecStart=/bin/sh -c 'trap "" TERM; echo up; while :; do sleep 0.01; done'`)
	b.must(b.Start, "a.service")
	b.says("a.service", "up")
	main := b.until("a.service", "active/running").MainPID
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := b.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "a.service") {
		t.Errorf("shut down with %v", err)
	}
	if err := syscall.Kill(-main, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.gone(main)
	if err := b.Load(nil); err == nil {
		t.Error("a closed supervisor takes units")
	}
}

// TestControlGroups runs where the machine lets it.
func TestControlGroups(t *testing.T) {
	b := newBench(t, Options{Groups: fmt.Sprintf("drydock-test-%d", os.Getpid())})
	if b.Contained() != "control groups" {
		t.Skip("no control groups to be had")
	}
	b.load("a.service", "TimeoutStopSec=200ms", "TasksMax=100",
		`ExecStart=/bin/sh -c 'trap "" TERM; env -i setsid /bin/sh -c "echo far \$\$; exec sleep 1000" & wait; wait'`)
	b.must(b.Start, "a.service")
	var far int
	if _, err := fmt.Sscanf(b.says("a.service", "far "), "far %d", &far); err != nil {
		t.Fatal(err)
	}
	if _, ok := startOf(far); !ok {
		t.Fatalf("process %d isn't there", far)
	}
	b.Kill("a.service")
	b.gone(far)
	b.until("a.service", "inactive/dead")
}

func TestSignalAndErrors(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", `ExecStart=/bin/sh -c 'trap "echo usr1" USR1; echo up; while :; do sleep 0.01; done'`)
	b.must(b.Start, "a.service")
	b.says("a.service", "up")
	if err := b.Signal("a.service", "SIGUSR1"); err != nil {
		t.Error(err)
	}
	b.says("a.service", "usr1")
	for name, sig := range map[string]unit.Signal{"a.service": "SIGNONE", "b.service": "SIGUSR1"} {
		if err := b.Signal(name, sig); err == nil {
			t.Errorf("%s to %s is no error", sig, name)
		}
	}
	if o := b.do(b.Start, "b.service"); o.Result != "invalid" || !strings.Contains(o.Reason, "not found") {
		t.Errorf("ended %+v", o)
	}
	for _, text := range []string{"[Service]\nType=dbus\nExecStart=/bin/a\n", "[Service]\nExecStart=/bin/a\nPrivateTmp=yes\n"} {
		u, err := unit.Parse("c.service", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(u); err == nil || b.Load(u) == nil {
			t.Errorf("taken: %s", text)
		}
	}
	if list := b.List(); len(list) != 1 || list[0].Name != "a.service" {
		t.Errorf("list is %+v", list)
	}
}

// TestALeaseThatDoesNotHold keeps a process from its program, however late it looks.
func TestALeaseThatDoesNotHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease")
	word, err := lease.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer word.Close()
	b := newBench(t, Options{Lease: func(unit string) string {
		if unit == "global.service" {
			return ""
		}
		return path
	}})
	lines := []string{"Type=exec", "ExecStart=/bin/sleep 1000"}
	if os.Getuid() == 0 {
		lines = append(lines, "User=nobody") // who may not open the lease
	}
	b.load("local.service", lines...)
	b.load("global.service", lines...)
	if o := b.do(b.Start, "local.service"); o.Done() {
		t.Error("it was started without a lease")
	}
	if o := b.do(b.Start, "global.service"); !o.Done() {
		t.Errorf("one that needs no lease: %+v", o)
	}
	word.Begin(lease.At(lease.Now() + time.Minute))
	if o := b.do(b.Start, "local.service"); !o.Done() {
		t.Errorf("with a lease: %+v", o)
	}
	word.Begin(lease.At(lease.Now()))
	if o := b.do(b.Restart, "local.service"); o.Done() {
		t.Error("it was started when the lease had passed")
	}
}
