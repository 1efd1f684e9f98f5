package io.kvasir.server;

import io.helidon.common.tls.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/// Makes TLS of a certificate and a key in PEM files.
final class TlsSetup {
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");
  private static final char[] NO_PASSWORD = new char[0];

  private TlsSetup() {}

  /// @throws IOException where a file cannot be read or holds something else
  static Tls of(TlsFiles files) throws IOException {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("server", key(files), NO_PASSWORD, certificates(files));
      KeyManagerFactory keys =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(store, NO_PASSWORD);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), null, null);
      return Tls.builder()
          .sslContext(context)
          .enabledProtocols(List.of("TLSv1.3", "TLSv1.2"))
          .applicationProtocols(List.of("http/1.1"))
          .build();
    } catch (GeneralSecurityException e) {
      throw new IOException(
          "certificate '%s' and key '%s' cannot be used together (%s)"
              .formatted(files.certificates(), files.key(), e.getMessage()),
          e);
    }
  }

  private static Certificate[] certificates(TlsFiles files) throws IOException {
    try (InputStream in = Files.newInputStream(files.certificates())) {
      Certificate[] chain =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(in)
              .toArray(Certificate[]::new);
      if (chain.length == 0) {
        throw new IOException("'" + files.certificates() + "' holds no certificate in PEM form");
      }
      return chain;
    } catch (GeneralSecurityException e) {
      throw new IOException("'" + files.certificates() + "' holds no certificate in PEM form", e);
    }
  }

  private static PrivateKey key(TlsFiles files) throws IOException, GeneralSecurityException {
    Matcher found = KEY.matcher(Files.readString(files.key(), StandardCharsets.ISO_8859_1));
    if (!found.find()) {
      throw new IOException(
          "'%s' holds no private key in PKCS #8 PEM form (BEGIN PRIVATE KEY, not encrypted); openssl pkcs8 -topk8 -nocrypt makes one"
              .formatted(files.key()));
    }
    byte[] bytes = Base64.getMimeDecoder().decode(found.group(1));
    for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(bytes));
      } catch (InvalidKeySpecException e) {
        // The next kind.
      }
    }
    throw new IOException("'" + files.key() + "' holds a private key of an unknown kind");
  }
}
