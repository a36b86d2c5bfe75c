package archive

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/state"
	"drydock/node/wal"
)

// ErrExists is matched when a backup or a restore would write over something.
var ErrExists = errors.New("archive: would write over what is there")

// inTheWay says what would be written over. It matches ErrExists.
type inTheWay struct{ text string }

func (e *inTheWay) Error() string { return e.text }
func (e *inTheWay) Unwrap() error { return ErrExists }

// ErrDamaged is matched when a data directory is not whole, so that nothing can
// be told from it for certain.
var ErrDamaged = errors.New("the data directory is damaged")

// Backup writes what a data directory holds into a new file, durably, and reads
// it back. Now is noted as the time of the backup.
func Backup(path, target string, now time.Time) (*Manifest, error) {
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(&inTheWay{target + " is there already: choose another name or remove it"}, err)
	}
	d, err := openDirectory(path)
	if err != nil {
		return nil, err
	}
	m, st, err := gather(d)
	if err = errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	m.Created = now.UTC().Truncate(time.Second)
	if err := writeFile(target, m, st); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return m, nil
}

// gather reads the state of a directory to the end of its log.
func gather(d *directory) (*Manifest, *state.State, error) {
	found, err := wal.Verify(d)
	if errors.Is(err, wal.ErrNoLog) {
		return nil, nil, fmt.Errorf("%s: %w: it has no log", d.path, ErrNoDirectory)
	}
	var r *node.Recalled
	if err == nil {
		r, err = node.Recall(d, checkpoint.Store{}, &found.Recovered)
	}
	if err == nil {
		err = r.Replay(r.Last())
	}
	if err != nil {
		return nil, nil, unusable(d, err)
	}
	index, term := r.State.Applied()
	if index == 0 {
		return nil, nil, fmt.Errorf("%s: %w: the member has joined and not received a state yet", d.path, ErrNoDirectory)
	}
	digest := r.State.Digest()
	m := &Manifest{
		Format: Format, Version: Version, Cluster: hexID(found.Cluster), Member: hexID(found.Member),
		Index: index, Term: term, Revision: r.State.Revision(), Commit: max(found.Hard.Commit, r.Checkpoint),
		EtcdIndex: r.State.Keys().Index(), Keys: r.State.Keys().Len(), Release: uint64(r.State.Release()),
		Digest: hex.EncodeToString(digest[:]),
	}
	for _, member := range r.State.Members() {
		m.Members = append(m.Members, memberReport(&member))
		if uint64(member.ID) == found.Member {
			m.Name = member.Name
		}
	}
	return m, r.State, nil
}

// unusable says why a directory can't be backed up; damage matches ErrDamaged.
func unusable(d *directory, err error) error {
	i := inspection{d: d, r: new(Report)}
	if i.judge("", err) != nil || len(i.r.Damage) == 0 {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	return fmt.Errorf("%s: %w: %w; drydock node inspect says where and what to do", d.path, ErrDamaged, err)
}

// writeFile makes the file: all of it or nothing.
func writeFile(target string, m *Manifest, st *state.State) (err error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := encode(f, m, st.Describe(nil), st.Records()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := Read(f, info.Size()); err != nil {
		return fmt.Errorf("reading back what was written: %w", err)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	if err := syncDirectory(filepath.Dir(target)); err != nil {
		return fmt.Errorf("%s is written but its name may not be durable: %w", target, err)
	}
	return f.Close()
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
