// Package tlsconf makes TLS configurations of etcd's options: certificate, key
// and authority files, self-signed certificates, checks of who calls.
//
// A Config is one family of options, the clients' (cert-file, key-file, ...) or
// the peers' (peer-cert-file, ...). Load reads and checks the files once; the
// result hands out configurations for serving and for calling. Certificates that
// change on disk are taken up by the next connection; a pair that can't be read,
// such as one that is half replaced, leaves the former in use. Authorities and
// options are read at the start only.
//
// With an authority file every caller must show a certificate that it has
// signed, as in etcd, and calls trust only what it has signed. Self-signed
// certificates (auto-tls) encrypt and prove nothing: calls trust anyone.
//
// Errors name the option and the file. TLS 1.2 is the least that is spoken.
//
// Files: config.go (options to configurations), reload.go (certificates that
// change), verify.go (names and revocations), authority.go (a small authority,
// for tests, labs and self-signed certificates).
package tlsconf
