package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Write writes ops, one a line, under a header without scenario and seed.
func Write(w io.Writer, ops []Op) error {
	return Encode(w, Header{}, ops)
}

// Encode writes a history file. The header's version is always Version.
func Encode(w io.Writer, h Header, ops []Op) error {
	out := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	h.Version = Version
	if err := enc.Encode(h); err != nil {
		return fmt.Errorf("history: header: %w", err)
	}
	for i := range ops {
		if err := enc.Encode(&ops[i]); err != nil {
			return fmt.Errorf("history: operation %d: %w", ops[i].ID, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
