package archive

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"drydock/node/checkpoint"
	"drydock/node/keys"
	"drydock/node/state"
)

// ErrBackup is matched when a file is no backup, or a damaged one.
var ErrBackup = errors.New("bad backup")

// Format names backups in their manifest, Version is that of the form.
const (
	Format  = "drydock-backup"
	Version = 1
)

// The entries of a backup.
const (
	stateEntry    = "state.snap"
	manifestEntry = "manifest.json"
)

// maxManifestBytes bounds the manifest.
const maxManifestBytes = 1 << 20

// Manifest says what a backup holds. Fields are only ever added.
type Manifest struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	// Cluster and Member are whose state it was, Name the member's name.
	Cluster string `json:"cluster"`
	Member  string `json:"member"`
	Name    string `json:"name,omitempty"`
	// Index, Term and Revision are of the last entry that the state has; Commit
	// is the last that the member knew to be committed.
	Index     uint64         `json:"index"`
	Term      uint64         `json:"term"`
	Revision  uint64         `json:"revision"`
	Commit    uint64         `json:"commitIndex"`
	EtcdIndex uint64         `json:"etcdIndex"`
	Keys      int            `json:"keys"`
	Release   uint64         `json:"release"`
	Digest    string         `json:"digest"`
	Members   []MemberReport `json:"members"`
	// StateBytes and StateSHA256 are of the entry state.snap.
	StateBytes  int64  `json:"stateBytes"`
	StateSHA256 string `json:"stateSHA256"`
}

// encode writes a backup; m's last two fields are filled in.
func encode(w io.Writer, m *Manifest, sn state.Snapshot, records []keys.Record) error {
	z := zip.NewWriter(w)
	entry := func(name string) (io.Writer, error) {
		return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: m.Created})
	}
	out, err := entry(stateEntry)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if m.StateBytes, err = checkpoint.Encode(io.MultiWriter(out, sum), sn, records); err != nil {
		return err
	}
	m.StateSHA256 = hex.EncodeToString(sum.Sum(nil))
	if out, err = entry(manifestEntry); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return err
	}
	return z.Close()
}

// Contents is a backup that was read and verified.
type Contents struct {
	Manifest Manifest
	state    *state.State
}

// Read reads a backup of size bytes and verifies all of it: its sums, and that
// its records make up the state that they were. What is wrong with it matches
// ErrBackup; a backup of a later release matches state.ErrRelease instead.
func Read(r io.ReaderAt, size int64) (*Contents, error) {
	z, err := zip.NewReader(r, size)
	var unreadable *fs.PathError
	switch {
	case errors.As(err, &unreadable):
		return nil, fmt.Errorf("backup: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	c := new(Contents)
	if err := c.readManifest(z); err != nil {
		return nil, err
	}
	if err := c.readState(z); err != nil {
		return nil, err
	}
	return c, c.agree()
}

// find returns the only entry of that name.
func find(z *zip.Reader, name string) (*zip.File, error) {
	var found *zip.File
	for _, f := range z.File {
		switch {
		case f.Name != name:
		case found != nil:
			return nil, fmt.Errorf("%w: two entries %s", ErrBackup, name)
		default:
			found = f
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: no entry %s", ErrBackup, name)
	}
	return found, nil
}

func (c *Contents) readManifest(z *zip.Reader) error {
	f, err := find(z, manifestEntry)
	if err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, manifestEntry, err)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxManifestBytes+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, manifestEntry, err)
	}
	if len(text) > maxManifestBytes {
		return fmt.Errorf("%w: %s exceeds %d bytes", ErrBackup, manifestEntry, maxManifestBytes)
	}
	m := &c.Manifest
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(m); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, manifestEntry, err)
	}
	switch {
	case m.Format != Format:
		return fmt.Errorf("%w: %s: format %q, not %q", ErrBackup, manifestEntry, m.Format, Format)
	case m.Version != Version:
		return fmt.Errorf("%w: %s: version %d, this release reads %d", ErrBackup, manifestEntry, m.Version, Version)
	case m.StateBytes < 0:
		return fmt.Errorf("%w: %s: stateBytes %d is below 0", ErrBackup, manifestEntry, m.StateBytes)
	}
	return nil
}

// readState reads the state and its sum.
func (c *Contents) readState(z *zip.Reader) error {
	f, err := find(z, stateEntry)
	if err != nil {
		return err
	}
	if f.UncompressedSize64 != uint64(c.Manifest.StateBytes) {
		return fmt.Errorf("%w: %s has %d bytes, the manifest says %d", ErrBackup, stateEntry, f.UncompressedSize64, c.Manifest.StateBytes)
	}
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, stateEntry, err)
	}
	sum := sha256.New()
	sn, records, err := checkpoint.Decode(io.TeeReader(io.LimitReader(in, c.Manifest.StateBytes), sum), c.Manifest.StateBytes)
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, stateEntry, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != c.Manifest.StateSHA256 {
		return fmt.Errorf("%w: %s: SHA-256 %s, the manifest says %s", ErrBackup, stateEntry, got, c.Manifest.StateSHA256)
	}
	c.state, _, err = state.Load(sn, iterate(records))
	switch {
	case errors.Is(err, state.ErrRelease):
		return fmt.Errorf("backup: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrBackup, stateEntry, err)
	}
	return nil
}

// agree compares the manifest with the state.
func (c *Contents) agree() error {
	index, term := c.state.Applied()
	digest := c.state.Digest()
	m := &c.Manifest
	if m.Index != index || m.Term != term || m.Revision != c.state.Revision() || m.Digest != hex.EncodeToString(digest[:]) {
		return fmt.Errorf("%w: the state is at index %d, term %d, digest %x; the manifest says %d, %d, %s",
			ErrBackup, index, term, digest, m.Index, m.Term, m.Digest)
	}
	return nil
}
