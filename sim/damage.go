package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"drydock/chaos"
	"drydock/node/checkpoint"
	"drydock/node/wal"
	"drydock/sim/disk"
	"drydock/sim/history"
)

// stateFile is the checkpoint's file.
const stateFile = checkpoint.Dir + "/state.db"

// recordFill is what records of the log are aligned to.
const recordFill = 8

// Places in a meta page of a bbolt file: all between the page's own head and
// the end of the meta's checksum is covered by the checksum.
const (
	metaFrom = 16
	metaTxid = 64
	metaTo   = 80
)

// harm records that the world damages files of a machine's disk. What the log
// has shown so far stays known; what it shows from now on is not to be trusted.
func (m *machine) harm(what string, files ...string) {
	m.damage = what
	for _, file := range files {
		m.harmed = append(m.harmed, file)
		m.w.result.Rotten = append(m.w.result.Rotten, history.Rotten{
			Time: int64(m.w.now()), Node: m.name, File: file, Live: true,
		})
	}
}

// noticed records that the machine did not go on with its damaged disk.
func (m *machine) noticed(why string) {
	m.w.result.Noticed = append(m.w.result.Noticed, history.Noticed{Time: int64(m.w.now()), Node: m.name, Why: why})
}

// outlived is told when a member with damage has started. That is right if
// nothing of what was damaged is in use any more: segments of the log that were
// given back meanwhile, or a checkpoint without which the log suffices.
func (m *machine) outlived() {
	if m.damage == "" {
		return
	}
	inUse := slices.ContainsFunc(m.harmed, func(file string) bool {
		return fileOf(file) == chaos.FilesLog && m.disk.Durable(file)
	})
	if !inUse {
		m.noticed("started without what was damaged")
	}
	m.damage, m.harmed = "", nil
}

// audited reads the log before it is damaged.
func (m *machine) audited() {
	if m.damage == "" {
		m.w.audit.scan(m)
	}
}

// segmentFile names the file of a log's segment.
func segmentFile(sequence uint64) string { return fmt.Sprintf("%s/%016x.seg", wal.Dir, sequence) }

// bitRot flips bits on each node's disk.
func (t target) bitRot(nodes []string, p *chaos.BitRot) (func(), string, error) {
	return t.harmEach(nodes, p.Destroy, func(m *machine) (what string, files []string, err error) {
		if p.Files == chaos.FilesCheckpoint {
			return m.rotCheckpoint(p.Bits)
		}
		return m.rotLog(p.Bits, p.Destroy)
	})
}

// harmEach does harm to the nodes that may be harmed now, at least one.
func (t target) harmEach(nodes []string, destroy bool, do func(*machine) (what string, files []string, err error)) (func(), string, error) {
	var details []string
	var refused error
	for _, name := range nodes {
		m := t.w.byName[name]
		err := t.w.mayHarm(m, destroy)
		if err == nil {
			m.audited()
			var what string
			var files []string
			if what, files, err = do(m); err == nil {
				m.harm(what, files...)
				details = append(details, fmt.Sprintf("%s: %s in %s", name, what, strings.Join(files, ", ")))
			}
		}
		if err != nil && refused == nil {
			refused = err
		}
	}
	if len(details) == 0 {
		return nil, "", refused
	}
	return nil, strings.Join(details, "; "), nil
}

// rotLog flips bits of records whose damage is sure to be noticed or, if
// anything goes, of any record.
func (m *machine) rotLog(bits int, destroy bool) (what string, files []string, err error) {
	l := mapLog(m)
	list, _ := l.proven()
	if destroy {
		list = l.sure()
	}
	if len(list) == 0 {
		return "", nil, fmt.Errorf("%w: the log of %s is too short", chaos.ErrNotYet, m.name)
	}
	rng := m.w.src.Stream("damage/" + m.name)
	var places []string
	for range bits {
		r := list[rng.IntN(len(list))]
		file := segmentFile(r.start.segment)
		// What fills a record up to the next one has no checksum.
		off := r.start.offset + rng.Int64N(r.end.offset-r.start.offset-recordFill+1)
		bit := uint8(rng.IntN(8))
		if at := fmt.Sprintf("%s %d.%d", file, off, bit); !slices.Contains(places, at) {
			places, files = append(places, at), append(files, file)
			if err := m.disk.Rot(file, off, bit); err != nil {
				return "", nil, err
			}
		}
	}
	slices.Sort(files)
	return fmt.Sprintf("%d bits flipped", len(places)), slices.Compact(files), nil
}

// rotCheckpoint flips bits of the checkpoint's newest meta page or of both. The
// other pages differ from run to run, so damage to them would, too.
func (m *machine) rotCheckpoint(bits int) (what string, files []string, err error) {
	f, err := m.disk.Open(stateFile)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %s has no checkpoint", chaos.ErrNotYet, m.name)
	}
	var txid [2]uint64
	for i := range txid {
		var b [8]byte
		if _, err := f.ReadAt(b[:], int64(i)*disk.BoltPageBytes+metaTxid); err != nil {
			return "", nil, fmt.Errorf("%s: %w", m.name, err)
		}
		txid[i] = binary.LittleEndian.Uint64(b[:])
	}
	if err := f.Close(); err != nil {
		return "", nil, err
	}
	rng := m.w.src.Stream("damage/" + m.name)
	pages := []int64{0, 1}
	if txid[1] > txid[0] {
		pages = []int64{1, 0}
	}
	if rng.IntN(2) == 0 {
		pages = pages[:1]
	}
	count := 0
	for _, page := range pages {
		for _, at := range rng.Perm((metaTo - metaFrom) * 8)[:bits] {
			count++
			off := page*disk.BoltPageBytes + metaFrom + int64(at/8)
			if err := m.disk.Rot(stateFile, off, uint8(at%8)); err != nil {
				return "", nil, err
			}
		}
	}
	return fmt.Sprintf("%d bits flipped", count), []string{stateFile}, nil
}

// lostEntry takes a file's name away on each node.
func (t target) lostEntry(nodes []string, p *chaos.LostEntry) (func(), string, error) {
	return t.harmEach(nodes, p.Destroy, func(m *machine) (what string, files []string, err error) {
		file := stateFile
		if p.Files == chaos.FilesLog {
			if file, err = m.segmentToLose(p.Destroy); err != nil {
				return "", nil, err
			}
		}
		if !m.disk.Durable(file) {
			return "", nil, fmt.Errorf("%w: %s has no durable %s", chaos.ErrNotYet, m.name, file)
		}
		return "a name lost", []string{file}, m.disk.Unlink(file)
	})
}

// segmentToLose draws a segment whose loss is sure to be noticed: one before a
// record that survives and knows that it was durable.
func (m *machine) segmentToLose(destroy bool) (string, error) {
	l := mapLog(m)
	list, proof := l.proven()
	if destroy {
		list, proof = l.sure(), written{}
	}
	var names []string
	for _, r := range list {
		if name := segmentFile(r.start.segment); r.start.segment != proof.start.segment && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%w: the log of %s has one segment", chaos.ErrNotYet, m.name)
	}
	return names[m.w.src.Stream("damage/"+m.name).IntN(len(names))], nil
}

// elsewhere draws where a write to the log lands instead: on a record whose
// damage is sure to be noticed, and not so far that it would cover the proof.
func (m *machine) elsewhere(tr *trap, e disk.Event) (off int64, ok bool) {
	if m.w.mayHarm(m, tr.destroy) != nil {
		return 0, false
	}
	l := mapLog(m)
	list, proof := l.proven()
	var places []int64
	for _, r := range list {
		fits := proof.start.segment > r.start.segment || r.start.offset+e.Len <= proof.start.offset
		if segmentFile(r.start.segment) == e.Name && fits {
			places = append(places, r.start.offset)
		}
	}
	if len(places) == 0 {
		return 0, false
	}
	return places[m.w.src.Stream("damage/"+m.name).IntN(len(places))], true
}
