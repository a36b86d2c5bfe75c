package auth

import (
	"errors"
	"fmt"
)

// ErrCorrupt is matched by every error of decoding a command or book.
var ErrCorrupt = errors.New("auth: corrupt data")

// Error is a refusal, as the client is told of it.
type Error struct {
	// Status is the HTTP status that goes with it: 400, 403, 404 or 409.
	Status int
	// Message says why.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// refuse makes an Error; the API begins the messages of the rules with "auth: ".
func refuse(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: "auth: " + fmt.Sprintf(format, args...)}
}

// NoUser says that there is no such user.
func NoUser(name string) *Error { return refuse(404, "User %s does not exist.", name) }

// NoRole says that there is no such role.
func NoRole(name string) *Error { return refuse(404, "Role %s does not exist.", name) }
