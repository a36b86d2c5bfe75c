package keys

import "fmt"

// The error codes of the keyspace (etcd v2 API, "Errors"). Those from 200 on
// are refusals of the request itself and never come from a Store.
const (
	CodeKeyNotFound     = 100
	CodeCompareFailed   = 101
	CodeNotFile         = 102
	CodeNotDir          = 104
	CodeNodeExist       = 105
	CodeRootReadOnly    = 107
	CodeDirNotEmpty     = 108
	CodeUnauthorized    = 110
	CodePrevValueNeeded = 201
	CodeTTLNaN          = 202
	CodeIndexNaN        = 203
	CodeInvalidField    = 209
	CodeInvalidForm     = 210
	CodeRefreshValue    = 211
	CodeRefreshTTL      = 212
	CodeRaftInternal    = 300
	CodeWatcherCleared  = 400
	CodeEventCleared    = 401
)

// Error is a refusal, as the client is told of it.
type Error struct {
	// Code is one of the codes above.
	Code int
	// Cause names what stood in the way: a key, or the condition that differs.
	Cause string
	// Index is the store's index when it refused; zero for a refused request.
	Index uint64
}

// Error gives code, message and cause in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message(), e.Cause, e.Index)
}

// Message is the fixed text of the code.
func (e *Error) Message() string {
	switch e.Code {
	case CodeKeyNotFound:
		return "Key not found"
	case CodeCompareFailed:
		return "Compare failed"
	case CodeNotFile:
		return "Not a file"
	case CodeNotDir:
		return "Not a directory"
	case CodeNodeExist:
		return "Key already exists"
	case CodeRootReadOnly:
		return "Root is read only"
	case CodeDirNotEmpty:
		return "Directory not empty"
	case CodeUnauthorized:
		return "The request requires user authentication"
	case CodePrevValueNeeded:
		return "PrevValue is Required in POST form"
	case CodeTTLNaN:
		return "The given TTL in POST form is not a number"
	case CodeIndexNaN:
		return "The given index in POST form is not a number"
	case CodeInvalidField:
		return "Invalid field"
	case CodeInvalidForm:
		return "Invalid POST form"
	case CodeRefreshValue:
		return "Value provided on refresh"
	case CodeRefreshTTL:
		return "A TTL must be provided on refresh"
	case CodeRaftInternal:
		return "Raft Internal Error"
	case CodeWatcherCleared:
		return "watcher is cleared due to etcd recovery"
	case CodeEventCleared:
		return "The event in requested index is outdated and cleared"
	}
	return "Unknown error"
}

// Status is the HTTP status that goes with the code.
func (e *Error) Status() int {
	switch e.Code {
	case CodeKeyNotFound:
		return 404
	case CodeCompareFailed, CodeNodeExist:
		return 412
	case CodeNotFile, CodeDirNotEmpty:
		return 403
	case CodeUnauthorized:
		return 401
	case CodeRaftInternal:
		return 500
	}
	return 400
}
