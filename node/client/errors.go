package client

import (
	"errors"
	"fmt"
	"strings"
)

// Error is the cluster's answer to a request that it did not carry out. (etcd v2
// API, errors)
type Error struct {
	// Code is the API's, 100 and up.
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
	Cause   string `json:"cause"`
	// Index is the store's index at the time; 0 for a malformed request.
	Index uint64 `json:"index"`
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message, e.Cause, e.Index)
}

// Is matches the errors below by their code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Answers of the cluster that programs ask for, to be matched with errors.Is.
var (
	ErrKeyNotFound   = &Error{Code: 100, Message: "Key not found"}
	ErrCompareFailed = &Error{Code: 101, Message: "Compare failed"}
	ErrNotFile       = &Error{Code: 102, Message: "Not a file"}
	ErrNotDir        = &Error{Code: 104, Message: "Not a directory"}
	ErrNodeExist     = &Error{Code: 105, Message: "Key already exists"}
	ErrRootReadOnly  = &Error{Code: 107, Message: "Root is read only"}
	ErrDirNotEmpty   = &Error{Code: 108, Message: "Directory not empty"}
	ErrUnauthorized  = &Error{Code: 110, Message: "The request requires user authentication"}
	// ErrCleared: the history no longer holds the index that a watch asked for.
	ErrCleared = &Error{Code: 401, Message: "The event in requested index is outdated and cleared"}
)

// HTTPError is a refusal by the endpoints of members, users, roles and statistics.
type HTTPError struct {
	// Status is the HTTP status code.
	Status int
	// Message is the server's, or the status if it gave none.
	Message string
}

// Error implements error.
func (e *HTTPError) Error() string { return e.Message }

// ErrUnavailable is matched when no endpoint gave an answer.
var ErrUnavailable = errors.New("client: etcd cluster is unavailable or misconfigured")

// ErrNoEndpoints is returned for a client without endpoints.
var ErrNoEndpoints = errors.New("client: no endpoints available")

// ErrInvalidJSON is matched when an answer is not one of the etcd v2 API.
var ErrInvalidJSON = errors.New("client: response is invalid json. " +
	"The endpoint is probably not valid etcd cluster endpoint")

// ErrTooLarge is matched when an answer is longer than any cluster should give.
var ErrTooLarge = errors.New("client: the answer is too large")

// ClusterError says that no endpoint gave an answer. It matches ErrUnavailable.
type ClusterError struct {
	// Errors has what happened at each endpoint that was tried, in order.
	Errors []error
	// Unknown is set for a write that may have taken effect, or may yet.
	Unknown bool
}

// Error implements error. Every endpoint's part ends its line.
func (e *ClusterError) Error() string {
	var b strings.Builder
	b.WriteString(ErrUnavailable.Error())
	for i, err := range e.Errors {
		fmt.Fprintf(&b, "; error #%d: %s\n", i, err)
	}
	return b.String()
}

// Detail writes a line for each endpoint that was tried.
func (e *ClusterError) Detail() string {
	var b strings.Builder
	for i, err := range e.Errors {
		fmt.Fprintf(&b, "error #%d: %s\n", i, err)
	}
	return b.String()
}

// Unwrap gives the sentinel and the endpoints' own errors.
func (e *ClusterError) Unwrap() []error { return append([]error{ErrUnavailable}, e.Errors...) }
