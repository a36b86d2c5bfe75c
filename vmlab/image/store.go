package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drydock/vmlab/lab"
)

// Root is where images are kept, below the working directory.
const Root = ".drydock/images"

// Default is the image that machines boot from where none is named.
const Default = "coreos"

// What an image's directory holds.
const (
	rootDir     = "root"
	diskFile    = "root.ext4"
	umlFile     = "linux.uml"
	vmlinuzFile = "vmlinuz"
	initrdFile  = "initrd.img"
	manifestF   = "manifest.json"
)

// manifestVersion is the version of Manifest's form.
const manifestVersion = 1

// Manifest says what an image is.
type Manifest struct {
	Version int       `json:"version"`
	Name    string    `json:"name"`
	Built   time.Time `json:"built"`
	// Recipe is the digest of all that the image follows from but the program.
	Recipe   string   `json:"recipe"`
	Suite    string   `json:"suite"`
	Packages []string `json:"packages"`
	// Installed are the packages that are in it, as name=version.
	Installed []string `json:"installed"`
	// RootBytes is the size of the root directory's files, DiskBytes what the disk's
	// file takes of the host's disk.
	RootBytes int64 `json:"rootBytes"`
	DiskBytes int64 `json:"diskBytes,omitempty"`
	// UML says that it has a kernel for User Mode Linux.
	UML bool `json:"uml"`
	// QEMU is the version of its kernel for virtual machines, "" if it has none.
	QEMU string `json:"qemu,omitempty"`
}

// Image is one that was built.
type Image struct {
	Manifest
	// Dir is its directory, absolute.
	Dir string
}

// RootDir is the root file system as a directory. Nothing may be written there.
func (i *Image) RootDir() string { return filepath.Join(i.Dir, rootDir) }

// Disk is the root file system as a file, to be read only.
func (i *Image) Disk() string { return filepath.Join(i.Dir, diskFile) }

// Kernel is User Mode Linux as a program.
func (i *Image) Kernel() string { return filepath.Join(i.Dir, umlFile) }

// HasRoot says whether it has the root as a directory: one that an ordinary user has
// built has not.
func (i *Image) HasRoot() bool {
	_, err := os.Stat(i.RootDir())
	return err == nil
}

// Drivers are those whose machines can boot from it.
func (i *Image) Drivers() []string {
	var list []string
	if i.HasRoot() {
		list = append(list, "nspawn")
	}
	if i.UML && i.DiskBytes > 0 {
		list = append(list, "uml")
	}
	if i.QEMU != "" && i.DiskBytes > 0 {
		list = append(list, "qemu", "lima")
	}
	return list
}

// ErrNoImage is matched when there is no image of a name.
var ErrNoImage = errors.New("no such image")

// Store is a directory of images.
type Store struct {
	// Dir is its path.
	Dir string
}

// Open returns an image; the error matches ErrNoImage if there is none.
func (s Store) Open(name string) (*Image, error) {
	if name == "" {
		name = Default
	}
	if !lab.IsName(name) {
		return nil, fmt.Errorf("image: %q is not a name: small letters, digits and hyphens", name)
	}
	dir, err := filepath.Abs(filepath.Join(s.Dir, name))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, manifestF))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w in %s: `drydock lab image build` makes one", name, ErrNoImage, s.Dir)
	}
	if err != nil {
		return nil, err
	}
	i := &Image{Dir: dir}
	if err := json.Unmarshal(text, &i.Manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, manifestF), err)
	}
	if i.Version != manifestVersion || i.Name != name {
		return nil, fmt.Errorf("%s: it is not the manifest of an image of this release", filepath.Join(dir, manifestF))
	}
	return i, nil
}

// List returns all images, by name.
func (s Store) List() ([]*Image, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []*Image
	for _, e := range entries {
		if !lab.IsName(e.Name()) {
			continue // one that is being built
		}
		i, err := s.Open(e.Name())
		if errors.Is(err, ErrNoImage) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *Image) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// save writes the manifest.
func (i *Image) save() error {
	text, err := json.MarshalIndent(i.Manifest, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.Dir, manifestF), append(text, '\n'), 0o644)
}
