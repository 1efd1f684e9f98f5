package io.kvasir.model.hub;

import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/// A snapshot in the cache.
///
/// @param name the repository, at the revision whose reference points here, else at the commit
/// @param commit the snapshot's commit
/// @param folder the snapshot's folder
/// @param files relative paths of the files that are here, sorted; unmodifiable
/// @param bytes sum of their lengths
/// @param modified when the snapshot's folder changed last
public record CachedModel(
    ModelName name, String commit, Path folder, List<String> files, long bytes, Instant modified) {
  public CachedModel {
    files = List.copyOf(files);
  }
}
