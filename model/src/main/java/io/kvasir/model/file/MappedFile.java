package io.kvasir.model.file;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// Maps files read-only; what goes wrong becomes a [ModelFormatException] that says which file.
final class MappedFile {
  private static final String LFS_POINTER = "version https://git-lfs";

  private MappedFile() {}

  /// The whole of `file`, mapped until `arena` is closed.
  static MemorySegment map(Path file, Arena arena) {
    if (!Files.exists(file)) {
      throw new ModelFormatException(file + " does not exist");
    }
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(file + " is not a file");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size == 0) {
        throw new ModelFormatException(file + " is empty: fetch it again");
      }
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      refusePointer(file, bytes);
      return bytes;
    } catch (IOException e) {
      throw new ModelFormatException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static void refusePointer(Path file, MemorySegment bytes) {
    int length = LFS_POINTER.length();
    if (bytes.byteSize() >= length && bytes.byteSize() < 1024) {
      byte[] start = bytes.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
      if (new String(start, StandardCharsets.ISO_8859_1).equals(LFS_POINTER)) {
        throw new ModelFormatException(
            file + " is only a Git LFS pointer to the model: fetch the file itself (git lfs pull)");
      }
    }
  }
}
