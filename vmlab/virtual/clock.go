package virtual

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
)

// setClock waits until it is told the time: getting as far as that takes a machine
// longer than anything after.
const setClock = `echo; read -r now && date --set=@"$now" >/dev/null`

// SetClock sets a machine's clock to the host's.
func SetClock(ctx context.Context, a lab.Access) error {
	in, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	heard, out, err := os.Pipe()
	if err != nil {
		return errors.Join(err, in.Close(), tell.Close())
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		var line [1]byte
		if _, err := heard.Read(line[:]); err == nil {
			now := time.Now()
			_, _ = fmt.Fprintf(tell, "%d.%09d\n", now.Unix(), now.Nanosecond()) // it may be gone
		}
		_ = tell.Close()
	}()
	code, err := sshway.Run(ctx, a, lab.Command{Args: []string{"sh", "-c", setClock}, Stdin: in, Stdout: out})
	_ = out.Close() // so that who waits for it goes on
	<-told
	_ = errors.Join(in.Close(), heard.Close())
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d", code)
	}
	if err != nil {
		return fmt.Errorf("its clock is not set: %w", err)
	}
	return nil
}
