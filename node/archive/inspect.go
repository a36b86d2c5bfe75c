package archive

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
)

// Verdict says how a data directory is.
type Verdict string

// The verdicts.
const (
	// OK: a node would start from it, and everything that can be checked is right.
	OK Verdict = "ok"
	// Damaged: a node would refuse it, or something in it has rotted.
	Damaged Verdict = "damaged"
	// Unfinished: the directory was being made when the process died, or its log
	// is gone. No node has promised anything under it, or all of it is lost.
	Unfinished Verdict = "unfinished"
	// Newer: a later release wrote it, and this program can't judge.
	Newer Verdict = "newer"
)

// Report is what Inspect found. As JSON it is what `node inspect --json` prints;
// fields are only ever added. Ids are hexadecimal.
type Report struct {
	Directory string  `json:"directory"`
	Verdict   Verdict `json:"verdict"`
	Cluster   string  `json:"cluster,omitempty"`
	Member    string  `json:"member,omitempty"`
	Name      string  `json:"name,omitempty"`
	// Log, Checkpoint and State are left out where they could not be read.
	Log        *LogReport        `json:"log,omitempty"`
	Checkpoint *CheckpointReport `json:"checkpoint,omitempty"`
	State      *StateReport      `json:"state,omitempty"`
	Snapshots  []SnapshotReport  `json:"snapshots,omitempty"`
	Members    []MemberReport    `json:"members,omitempty"`
	// Notes are what is worth knowing and no damage.
	Notes  []string `json:"notes,omitempty"`
	Damage []Damage `json:"damage,omitempty"`
	// Next says what to do about the damage.
	Next  string `json:"next,omitempty"`
	Error string `json:"error,omitempty"`
}

// LogReport describes the write-ahead log.
type LogReport struct {
	Segments []SegmentReport `json:"segments"`
	Spares   int             `json:"spares"`
	// Bytes is what all files of the log take, spares too.
	Bytes int64 `json:"bytes"`
	// First and Last are the indexes of the entries kept behind the marker; there
	// are none if First is above Last. Marker is where the last checkpoint ended
	// that the log knows to be durable.
	First      uint64 `json:"firstIndex"`
	Last       uint64 `json:"lastIndex"`
	Marker     uint64 `json:"markerIndex"`
	MarkerTerm uint64 `json:"markerTerm"`
	Term       uint64 `json:"term"`
	// Vote is who got this member's vote in Term, "" for nobody.
	Vote   string `json:"vote,omitempty"`
	Commit uint64 `json:"commitIndex"`
	// Starts counts the node's starts.
	Starts     uint64 `json:"starts"`
	Generation uint64 `json:"generation"`
	// TornBytes is what was being written when the process died and that nobody
	// was told of.
	TornBytes int64 `json:"tornBytes"`
}

// SegmentReport describes one file of the log.
type SegmentReport struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Used    int64  `json:"used"`
	Records int    `json:"records"`
}

// CheckpointReport describes the checkpoint.
type CheckpointReport struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Index    uint64 `json:"index"`
	Term     uint64 `json:"term"`
	Revision uint64 `json:"revision"`
	Digest   string `json:"digest"`
}

// StateReport describes the state at the last entry that the member knows to be
// committed, or where the log is damaged at the checkpoint.
type StateReport struct {
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	Revision  uint64 `json:"revision"`
	EtcdIndex uint64 `json:"etcdIndex"`
	// Keys counts files and directories of the keyspace, Units the fleet's units.
	Keys    int    `json:"keys"`
	Units   int    `json:"units"`
	Release uint64 `json:"release"`
	Digest  string `json:"digest"`
}

// SnapshotReport describes a complete snapshot file.
type SnapshotReport struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	Index uint64 `json:"index"`
}

// MemberReport describes a member as the state knows it.
type MemberReport struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Learner    bool     `json:"learner,omitempty"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

// Damage is one thing that is wrong, and where.
type Damage struct {
	File string `json:"file"`
	// Offset is the byte in the file; it is left out where it is not known.
	Offset *int64 `json:"offset,omitempty"`
	Reason string `json:"reason"`
}

// Names of files that damage is found in.
const (
	identityName   = "member.json"
	checkpointName = checkpoint.Dir + "/state.db"
)

// Inspect reads a data directory through and says what it holds. The error says
// that the directory could not be read: it is no damage, and there is no report.
func Inspect(path string) (*Report, error) {
	d, err := openDirectory(path)
	if err != nil {
		return nil, err
	}
	i := inspection{d: d, r: &Report{Directory: path}}
	err = errors.Join(i.run(), d.Close())
	if err != nil {
		return nil, err
	}
	return i.r, nil
}

// inspection is an Inspect under way.
type inspection struct {
	d *directory
	r *Report
	// log is what was found of the log, logOK that it is whole.
	log   wal.Found
	logOK bool
}

func (i *inspection) run() error {
	made, err := i.identity()
	if err != nil {
		return err
	}
	if err := i.readLog(made); err != nil {
		return err
	}
	if i.r.Verdict == Unfinished {
		return nil
	}
	if err := i.readState(); err != nil {
		return err
	}
	if err := i.readSnapshots(); err != nil {
		return err
	}
	i.conclude()
	return nil
}

// identity reads the identity file and says whether there is one.
func (i *inspection) identity() (bool, error) {
	id, err := host.ReadIdentity(i.d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, host.ErrIdentity):
		i.damage(identityName, nil, err)
		return true, nil
	case err != nil:
		return false, err
	}
	i.r.Cluster, i.r.Member, i.r.Name = hexID(id.Cluster), hexID(uint64(id.ID)), id.Name
	return true, nil
}

// readLog verifies the log. made says that the directory was made a member's.
func (i *inspection) readLog(made bool) error {
	var err error
	i.log, err = wal.Verify(i.d)
	var corrupt *wal.CorruptError
	switch {
	case errors.Is(err, wal.ErrNoLog):
		if !made && !i.log.Unfinished && i.d.size(checkpointName) == 0 {
			return fmt.Errorf("%s: %w: it holds neither a log nor a checkpoint", i.d.path, ErrNoDirectory)
		}
		i.r.Verdict = Unfinished
		i.r.Next = "If this member has never run, remove the directory and start it again. " +
			"If it has, its log is lost: " + replaceAdvice
		return nil
	case errors.As(err, &corrupt):
		i.damage(corrupt.File(), &corrupt.Offset, errors.New(corrupt.Reason))
	case err != nil:
		return err
	}
	i.logOK = err == nil
	if len(i.log.Segments) > 0 {
		if !made {
			i.damage(identityName, nil, errors.New("missing, though there is a log: a node would take the directory for an empty one"))
		}
		i.owner()
		i.r.Log = describeLog(&i.log)
	}
	if i.log.Truncated > 0 {
		last := i.log.Segments[len(i.log.Segments)-1]
		i.note("%s has %d bytes of a torn write from %d on, which nobody was told of; the node drops them when it starts",
			last.Name, i.log.Truncated, last.Used)
	}
	return nil
}

// owner compares the log's identity with that of the directory.
func (i *inspection) owner() {
	cluster, member := hexID(i.log.Cluster), hexID(i.log.Member)
	if i.r.Member != "" && (i.r.Cluster != cluster || i.r.Member != member) {
		i.damage(identityName, nil, fmt.Errorf("it says member %s of cluster %s, the log is of member %s of cluster %s",
			i.r.Member, i.r.Cluster, member, cluster))
	}
	i.r.Cluster, i.r.Member = cluster, member
}

func describeLog(f *wal.Found) *LogReport {
	l := &LogReport{
		Spares: f.Spares, Bytes: f.SpareBytes, Marker: f.Marker.Index, MarkerTerm: f.Marker.Term,
		First: f.Marker.Index + 1, Last: f.Marker.Index + uint64(len(f.Entries)),
		Term: f.Hard.Term, Commit: f.Hard.Commit, Starts: f.Boot, Generation: f.Generation, TornBytes: f.Truncated,
	}
	if f.Hard.Vote != 0 {
		l.Vote = hexID(f.Hard.Vote)
	}
	for _, s := range f.Segments {
		l.Segments = append(l.Segments, SegmentReport{File: s.Name, Bytes: s.Bytes, Used: s.Used, Records: s.Records})
		l.Bytes += s.Bytes
	}
	return l
}

// readState reads the checkpoint and, if the log is whole, replays what is
// committed behind it.
func (i *inspection) readState() error {
	before := len(i.r.Damage)
	sn, found, err := i.readCheckpoint()
	if err != nil || !i.logOK || len(i.r.Damage) > before || i.r.Verdict == Newer {
		return err
	}
	if !found && i.log.Marker.Index == 0 {
		i.note("there is no checkpoint yet: the member has joined and waits for the cluster's state")
		return nil
	}
	r, err := node.Recall(i.d, checkpoint.Store{}, &i.log.Recovered)
	switch {
	case err != nil:
		return i.judge(checkpointName, err)
	case r.Last() < i.log.Hard.Commit:
		i.note("the log knows entry %d to be committed and ends at %d: the rest is with the other members", i.log.Hard.Commit, r.Last())
	}
	if r.Last() > i.log.Hard.Commit && i.log.Hard.Commit >= sn.Index {
		i.note("entries %d to %d are not known here to be committed", i.log.Hard.Commit+1, r.Last())
	}
	if err := r.Replay(i.log.Hard.Commit); err != nil {
		return i.judge(wal.Dir, err)
	}
	i.describe(r.State)
	return nil
}

// readCheckpoint verifies the checkpoint by itself.
func (i *inspection) readCheckpoint() (state.Snapshot, bool, error) {
	sn, records, found, err := checkpoint.Store{}.Load(i.d)
	if err != nil || !found {
		return sn, false, i.judge(checkpointName, err)
	}
	i.r.Checkpoint = &CheckpointReport{
		File: checkpointName, Bytes: i.d.size(checkpointName),
		Index: sn.Index, Term: sn.Term, Revision: sn.Revision, Digest: hex.EncodeToString(sn.Digest[:]),
	}
	st, _, err := state.Load(sn, iterate(records))
	if err != nil {
		return sn, true, i.judge(checkpointName, err)
	}
	i.describe(st)
	return sn, true, nil
}

// iterate hands out records as state.Load wants them.
func iterate(records []keys.Record) func() (keys.Record, bool, error) {
	return func() (keys.Record, bool, error) {
		if len(records) == 0 {
			return keys.Record{}, false, nil
		}
		r := records[0]
		records = records[1:]
		return r, true, nil
	}
}

// describe reports a state, in the place of an earlier one.
func (i *inspection) describe(st *state.State) {
	index, term := st.Applied()
	digest := st.Digest()
	i.r.State = &StateReport{
		Index: index, Term: term, Revision: st.Revision(), EtcdIndex: st.Keys().Index(),
		Keys: st.Keys().Len(), Units: st.Fleet().Units(), Release: uint64(st.Release()), Digest: hex.EncodeToString(digest[:]),
	}
	i.r.Members = nil
	for _, m := range st.Members() {
		i.r.Members = append(i.r.Members, memberReport(&m))
		if hexID(uint64(m.ID)) == i.r.Member && m.Name != "" {
			i.r.Name = m.Name
		}
	}
}

func memberReport(m *state.Member) MemberReport {
	return MemberReport{
		ID: hexID(uint64(m.ID)), Name: m.Name, Learner: m.Learner,
		PeerURLs: append([]string{}, m.PeerURLs...), ClientURLs: append([]string{}, m.ClientURLs...),
	}
}

// readSnapshots verifies the snapshot files.
func (i *inspection) readSnapshots() error {
	names, err := checkpoint.Snapshots(i.d)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := checkpoint.SnapDir + "/" + name
		m, err := checkpoint.Verify(i.d, name)
		if err != nil {
			if err := i.judge(path, err); err != nil {
				return err
			}
			i.note("%s was on its way to or from another member: the node removes it when it starts", path)
			continue
		}
		i.r.Snapshots = append(i.r.Snapshots, SnapshotReport{File: path, Bytes: i.d.size(path), Index: m.Index})
	}
	return nil
}

// judge tells damage of a file, which goes into the report, from errors of
// reading it, which end the inspection.
func (i *inspection) judge(file string, err error) error {
	for _, damage := range []error{
		checkpoint.ErrCorrupt, state.ErrCorrupt, keys.ErrCorrupt, node.ErrDamaged, wal.ErrCorrupt,
		state.ErrCommand, state.ErrDiverged,
	} {
		if errors.Is(err, damage) && !errors.Is(err, state.ErrRelease) {
			i.damage(file, nil, err)
			return nil
		}
	}
	if errors.Is(err, state.ErrRelease) {
		i.r.Verdict, i.r.Next = Newer, "Inspect it with the program of the release that wrote it, or a later one."
		i.note("%s: %v", file, err)
		return nil
	}
	return err
}

func (i *inspection) damage(file string, offset *int64, why error) {
	i.r.Damage = append(i.r.Damage, Damage{File: file, Offset: offset, Reason: why.Error()})
}

func (i *inspection) note(format string, args ...any) {
	i.r.Notes = append(i.r.Notes, fmt.Sprintf(format, args...))
}

func hexID(id uint64) string { return strconv.FormatUint(id, 16) }
