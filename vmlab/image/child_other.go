//go:build !linux

package image

import "os/exec"

// bind can't be had here.
func bind(*exec.Cmd) {}

// bindBuild can't be had here.
func bindBuild(*exec.Cmd) {}
