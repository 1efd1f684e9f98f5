package io.kvasir.server;

import java.nio.file.Path;

/// What a server proves with who it is.
///
/// @param certificates PEM: the server's certificate, then those that vouch for it
/// @param key PEM: the certificate's private key (PKCS #8), not encrypted
public record TlsFiles(Path certificates, Path key) {}
