package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// errHeld is matched when a program was ended because nobody holds it any more.
var errHeld = errors.New("nobody holds it any more")

// hold runs a program until it ends, or until there is nothing more to read: whoever
// has the other end of the pipe has closed it, or has died. Then the program is killed.
func hold(from io.Reader, args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	free := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, from) // however it ends
		close(free)
	}()
	select {
	case err := <-ended:
		return err
	case <-free:
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended
	return fmt.Errorf("%s: %w", args[0], errHeld)
}
