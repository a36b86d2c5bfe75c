// Package face decodes requests to etcd's v2 auth API, which is below /v2/auth,
// and encodes the answers, bytes to values and values to bytes. It opens no
// connection and knows no node.
//
// A request goes through Decode, which looks at method and path. If the call
// NeedsRoot, whoever serves it asks the Book whether the user is one. A call
// that Changes is completed by ReadBody, its password hashed, its command
// proposed, and the outcome given to Done, Refused or Failed; the others are
// answered by Answer. The order of these checks is the original's: paths,
// methods, credentials, and only then what the request says.
package face
