// Package auth is who may do what: users with passwords, roles with patterns of
// keys, and whether any of it counts. It speaks etcd's v2 auth API (2.1 to 3.4),
// bytes to values and values to bytes, and decides what a user may do.
//
// A Book holds all of it and never changes: Apply makes another one. So one
// goroutine may apply commands, out of the replicated log, while others look at
// the Book of a moment ago. Passwords come as hashes; whoever asks the package
// whether a user may do something has made sure that it is that user.
//
// The rules:
//
//   - While off, everybody may do everything.
//   - The user root always has the role root, which is built in, can't be
//     changed and allows all. Users with it, and no others, may see and change
//     users, roles and members, and switch auth off.
//   - Who sends no credentials is a guest, to whom the role guest applies.
//     Switching on makes that role, with all keys, if there is none.
//   - A pattern is a key, or with * at its end all keys that begin with what is
//     before it. A recursive request needs a pattern that ends in * and covers
//     its key; of a guest this isn't asked.
//   - Keys are compared as the request spelt them: /app/* covers /app/, not /app.
//
// Invariants:
//
//   - Equal books have equal encodings and digests, and DecodeBook takes nothing
//     that Apply would not have made.
//   - Every list is bounded, and so is the whole.
//   - A book that is on has a user root.
//
// Where the original has accidents that a client can see, answers are its: a
// list that was never given is null and an emptied one is [], a deletion's
// messages differ from the others', a user with a role that is no more can't be
// shown alone. Not kept: an empty pattern, which breaks the original's
// connection, covers nothing; /v2/keys is the key / as /v2/keys/ is; names that
// begin with _ are listed; a recursive write other than a deletion, which means
// nothing, asks for no more than a plain one; unreadable queries are ignored;
// auth writes don't move the keyspace's index.
//
// Files: book.go (what there is and who may), command.go (changes and their
// encoding), apply.go (the rules of changes), codec.go (a book's encoding and
// digest), errors.go.
package auth
