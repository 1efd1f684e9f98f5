package io.kvasir.model.hub;

/// A file of a repository.
///
/// @param path relative path in the repository, checked to be harmless
/// @param bytes length of the content
/// @param blobId what the content is named after: for large files (git LFS) its SHA-256, 64
///   hexadecimal digits; for others the SHA-1 that git gives the blob, 40 digits
public record RemoteFile(String path, long bytes, String blobId) {

  /// No file of a model is larger: 64 TiB.
  static final long MAX_BYTES = 1L << 46;

  public RemoteFile {
    if (!FileNames.isSafe(path)) {
      throw new IllegalArgumentException("unsafe file name '" + FileNames.shown(path) + "'");
    }
    if (bytes < 0 || bytes > MAX_BYTES) {
      throw new IllegalArgumentException("impossible size of " + path + ": " + bytes + " bytes");
    }
    if (!FileNames.isHash(blobId)) {
      throw new IllegalArgumentException(
          "impossible checksum of " + path + ": '" + FileNames.shown(blobId) + "'");
    }
  }

  /// True where [#blobId] is the SHA-256 of the content itself.
  boolean isLarge() {
    return blobId.length() == 64;
  }
}
