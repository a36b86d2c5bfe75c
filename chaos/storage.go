package chaos

import (
	"fmt"
	"strings"
	"time"
)

// The kinds of faults of disks.
const (
	KindDiskStall        Kind = "disk-stall"
	KindDiskFull         Kind = "disk-full"
	KindDiskError        Kind = "disk-error"
	KindMisdirectedWrite Kind = "misdirected-write"
	KindBitRot           Kind = "bit-rot"
	KindLostEntry        Kind = "lost-entry"
	KindWipe             Kind = "wipe"
)

// The files of a member, as parameters name them.
const (
	FilesLog        = "log"
	FilesCheckpoint = "checkpoint"
	FilesSnapshot   = "snapshot"
	FilesAny        = "any"
)

// DiskStall makes a disk hang: nothing that is begun on it ends.
type DiskStall struct {
	Node Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
}

// DiskFull leaves a disk with little space or none.
type DiskFull struct {
	Node Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	Free int       `json:"free,omitempty" doc:"bytes that are still free" default:"0" min:"0" max:"1073741824"`
}

// DiskError lets operations on a disk fail. It lies in wait for them.
type DiskError struct {
	Node  Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	On    string    `json:"on,omitempty" doc:"which operations fail" enum:"sync|write" default:"sync"`
	Files string    `json:"files,omitempty" doc:"on which files" enum:"log|checkpoint|snapshot|any" default:"log"`
	Nth   int       `json:"nth,omitempty" doc:"the n-th such operation from now on is the first to fail" default:"1" min:"1" max:"1000000"`
	Times int       `json:"times,omitempty" doc:"so many fail" default:"1" min:"1" max:"1000000"`

	RestartAfter time.Duration `json:"restart_after,omitempty" doc:"start the node again so long after, if it has stopped; absent: it stays down until restarted or healed"`
}

// MisdirectedWrite lets one write to the log land at another place of its file.
// It lies in wait for a write that has such a place.
type MisdirectedWrite struct {
	Node    Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	Destroy bool      `json:"destroy,omitempty" doc:"do it even where no majority of the others holds all that is committed" default:"false"`
}

// BitRot flips bits of what is on a disk.
type BitRot struct {
	Node    Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	Files   string    `json:"files,omitempty" doc:"in which files" enum:"log|checkpoint" default:"log"`
	Bits    int       `json:"bits,omitempty" doc:"so many bits, each anywhere" default:"1" min:"1" max:"64"`
	Destroy bool      `json:"destroy,omitempty" doc:"do it even where no majority of the others holds all that is committed, and where it can't be told from a write that a crash cut short" default:"false"`
}

// LostEntry takes a file's name out of its directory.
type LostEntry struct {
	Node    Selectors `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	Files   string    `json:"files,omitempty" doc:"the name of which file" enum:"log|checkpoint" default:"log"`
	Destroy bool      `json:"destroy,omitempty" doc:"do it even where no majority of the others holds all that is committed, and to the log's newest file" default:"false"`
}

// Wipe kills a node and empties its disk.
type Wipe struct {
	Node         Selectors     `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	RestartAfter time.Duration `json:"restart_after,omitempty" doc:"its operator brings it back after this time, as a new member; absent: when restarted or healed"`
	Destroy      bool          `json:"destroy,omitempty" doc:"do it even where no majority of the others holds all that is committed" default:"false"`
}

// Kind implements Params.
func (*DiskStall) Kind() Kind { return KindDiskStall }

// Kind implements Params.
func (*DiskFull) Kind() Kind { return KindDiskFull }

// Kind implements Params.
func (*DiskError) Kind() Kind { return KindDiskError }

// Kind implements Params.
func (*MisdirectedWrite) Kind() Kind { return KindMisdirectedWrite }

// Kind implements Params.
func (*BitRot) Kind() Kind { return KindBitRot }

// Kind implements Params.
func (*LostEntry) Kind() Kind { return KindLostEntry }

// Kind implements Params.
func (*Wipe) Kind() Kind { return KindWipe }

func (p *DiskStall) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "disk stall", always)
}

func (p *DiskFull) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "disk full", always)
	if p.Free > 0 {
		f.Text += fmt.Sprintf(", %d bytes free", p.Free)
	}
	return f, err
}

func (p *DiskError) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "disk error", always)
	f.Text += fmt.Sprintf(", %s of %s", p.On, fileWords(p.Files))
	if p.Nth > 1 {
		f.Text += fmt.Sprintf(", number %d", p.Nth)
	}
	if p.Times > 1 {
		f.Text += fmt.Sprintf(", %d times", p.Times)
	}
	return f, err
}

func fileWords(files string) string {
	if files == FilesAny {
		return "any file"
	}
	return "the " + files
}

func (p *MisdirectedWrite) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "misdirected write", always)
}

func (p *BitRot) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "bit rot", outsideToo)
	f.Text += fmt.Sprintf(", %d in %s", p.Bits, fileWords(p.Files))
	return f, err
}

func (p *LostEntry) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "lost entry", outsideToo)
	f.Text += ", of " + fileWords(p.Files)
	return f, err
}

func (p *Wipe) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "wipe", outsideToo)
}

func outsideToo(m Member) string { return when(m.Outside, "outside the cluster") }

// The points of the node's work where a failpoint can strike, with what it is
// that is counted there.
var points = []PointInfo{
	{"wal.append", "a batch is written to the log"},
	{"wal.sync", "the log is synced"},
	{"wal.mark", "the log is told that a checkpoint is durable"},
	{"wal.release", "segments of the log are given back"},
	{"wal.reset", "the log begins anew after a snapshot"},
	{"checkpoint.write", "a checkpoint is written"},
	{"snapshot.export", "the leader makes a snapshot file for another member"},
	{"snapshot.read", "the leader reads a chunk of it"},
	{"snapshot.chunk", "a received chunk is written"},
	{"snapshot.verify", "a received snapshot file is verified"},
	{"snapshot.install", "a received snapshot becomes the checkpoint"},
	{PointBoot, "the node recovers from its disk"},
}

// PointBoot is the one point that is no job of a running node.
const PointBoot = "boot"

// PointInfo documents a point.
type PointInfo struct {
	Name, Doc string
}

// Points lists the points of the node's work where failpoints strike.
func Points() []PointInfo { return append([]PointInfo(nil), points...) }

// What a failpoint does.
const (
	DoCrash = "crash"
	DoError = "error"
	DoStall = "stall"

	usualStall = 2 * time.Second // the parameter's default
)

// KindFailpoint strikes a node at a named point of its work.
const KindFailpoint Kind = "failpoint"

// Failpoint lies in wait at a point of a node's work, and strikes when the node
// gets there for the n-th time.
type Failpoint struct {
	At           string        `json:"at" doc:"the point, by name; boot is recovery, the others are work on the disk" enum:"wal.append|wal.sync|wal.mark|wal.release|wal.reset|checkpoint.write|snapshot.export|snapshot.read|snapshot.chunk|snapshot.verify|snapshot.install|boot" scalar:"true"`
	Nth          int           `json:"nth,omitempty" doc:"strike at the n-th time from now on" default:"1" min:"1" max:"1000000"`
	Node         Selectors     `json:"node,omitempty" doc:"whose work" default:"any"`
	Do           string        `json:"do,omitempty" doc:"crash: the power goes in the midst of it; error: the disk refuses it; stall: it takes longer" enum:"crash|error|stall" default:"crash"`
	Stall        time.Duration `json:"stall,omitempty" doc:"how much longer" default:"2s"`
	RestartAfter time.Duration `json:"restart_after,omitempty" doc:"start the node again so long after, if it is down; absent: it stays down until restarted or healed"`
}

// Kind implements Params.
func (*Failpoint) Kind() Kind { return KindFailpoint }

func (p *Failpoint) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "failpoint", always)
	f.Text = fmt.Sprintf("failpoint %s number %d of %s: %s", p.At, p.Nth, strings.Join(f.Nodes, " "), p.Do)
	return f, err
}

// LiesInWait tells whether faults of the kind strike not when they are injected
// but when the node does what they wait for. They count as effective from then.
func (k Kind) LiesInWait() bool {
	return k == KindDiskError || k == KindMisdirectedWrite || k == KindFailpoint
}

// restartAfter is when a node starts again that died of, or stopped for, a fault
// that lay in wait; 0 is never.
func restartAfter(p Params) time.Duration {
	switch p := p.(type) {
	case *Failpoint:
		return p.RestartAfter
	case *DiskError:
		return p.RestartAfter
	}
	return 0
}

// Kills tells whether a fault of the kind ends the process when it strikes.
func (k Kind) Kills() bool {
	return k == KindCrash || k == KindPowerLoss || k == KindWipe
}
