package image

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"drydock/vmlab/lab"
)

// ErrInUse is matched when an image can't be changed, since machines boot from it.
var ErrInUse = errors.New("a lab is up whose machines boot from it")

// Hold keeps an image from being removed or built anew, until the holder is closed or
// this process ends. Any number of labs may hold one.
func (i *Image) Hold() (io.Closer, error) {
	f, err := i.lock(syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("the image %s is being replaced: try again", i.Name)
	}
	return f, err
}

// Taken are the images that a lab holds. It is ready as it is.
type Taken struct {
	mu     sync.Mutex
	images map[string]*Image
	held   []io.Closer
}

// Take opens the image that a machine of a lab names, and holds it.
func (t *Taken) Take(site *lab.Site, name string) (*Image, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.images[name]; i != nil {
		return i, nil
	}
	i, err := Store{Dir: site.ImagesDir()}.Open(name)
	if err != nil {
		return nil, err
	}
	held, err := i.Hold()
	if err != nil {
		return nil, err
	}
	if t.images == nil {
		t.images = map[string]*Image{}
	}
	t.images[name], t.held = i, append(t.held, held)
	return i, nil
}

// Close lets go of all.
func (t *Taken) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, held := range t.held {
		errs = append(errs, held.Close())
	}
	t.images, t.held = nil, nil
	return errors.Join(errs...)
}

// own takes an image that no lab holds.
func (i *Image) own() (io.Closer, error) {
	f, err := i.lock(syscall.LOCK_EX)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("the image %s: %w: take it down first (drydock lab list)", i.Name, ErrInUse)
	}
	return f, err
}

// lock locks the image's manifest; the lock goes with the file.
func (i *Image) lock(how int) (*os.File, error) {
	f, err := os.Open(filepath.Join(i.Dir, manifestF))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Beginnings of the names of what is not an image yet, or no more.
const (
	building = ".building-"
	removing = ".removing-"
)

// ErrBuilding is matched when an image is being built already.
var ErrBuilding = errors.New("another image is being built here")

// clean takes the store for a build, until what it returns is closed, and removes what
// builds that were killed have left.
func (s Store) clean() (_ io.Closer, err error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", s.Dir, ErrBuilding)
	}
	if err != nil {
		return nil, err
	}
	for _, begin := range []string{building, removing} {
		left, err := filepath.Glob(filepath.Join(s.Dir, begin+"*"))
		if err != nil {
			return nil, err
		}
		for _, dir := range left {
			if err := lab.RemoveTree(dir); err != nil {
				return nil, fmt.Errorf("what a build that was killed has left: %w", err)
			}
		}
	}
	return f, nil
}

// Remove removes an image that no lab holds.
func (s Store) Remove(name string) (i *Image, err error) {
	if i, err = s.Open(name); err != nil {
		return nil, err
	}
	held, err := i.own()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	// Out of its name first: half an image is none.
	gone := filepath.Join(filepath.Dir(i.Dir), removing+i.Name)
	if err := errors.Join(os.RemoveAll(gone), os.Rename(i.Dir, gone)); err != nil {
		return nil, err
	}
	return i, os.RemoveAll(gone)
}
