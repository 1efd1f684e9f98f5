package io.kvasir.model.hub;

/// One event of a pull.
///
/// @param phase what happens
/// @param file path in the repository, or the model's name while the listing is read
/// @param bytes how much of the file is here (of a checksum: how much was read)
/// @param totalBytes length of the file
/// @param bytesPerSecond speed over the last seconds, 0 where none is known
/// @param note a short text, empty for most; why a pause is made
public record Progress(
    Phase phase, String file, long bytes, long totalBytes, double bytesPerSecond, String note) {

  /// What happens to a file.
  public enum Phase {
    /// The file list is being read.
    LISTING,
    /// The file was in the cache already.
    CACHED,
    /// Another process downloads the same file.
    WAITING,
    /// Bytes arrive.
    DOWNLOADING,
    /// A request failed and will be made again.
    RETRYING,
    /// The checksum is computed.
    VERIFYING,
    /// The file is in the cache.
    DONE
  }
}
