package io.kvasir.model.hub;

import java.util.List;

/// What a repository holds at one commit.
///
/// @param commit the commit that the revision pointed to, hexadecimal
/// @param files all files, in the server's order; unmodifiable
public record RepoListing(String commit, List<RemoteFile> files) {
  public RepoListing {
    files = List.copyOf(files);
  }
}
