package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// writeDrive makes a file system of ISO 9660 of a directory's files, with their modes.
func writeDrive(dir, path, label string) (err error) {
	// The library works in a directory that it removes in the end.
	work, err := os.MkdirTemp(filepath.Dir(path), ".drive-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := linkTree(dir, work); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	drive, err := iso9660.Create(file.New(out, false), 0, 0, 0, work)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := drive.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: label}); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// linkTree makes links in one directory to all files of another.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch there := filepath.Join(to, name); {
		case name == ".":
			return nil
		case e.IsDir():
			return os.Mkdir(there, 0o755)
		case e.Type().IsRegular():
			return os.Link(path, there)
		}
		return fmt.Errorf("%s: a config drive has files and directories alone", path)
	})
}
