package io.kvasir.model.hub;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which bytes of a partial file have arrived: the file is cut into segments of one length, each of
/// which fills from its start. Thread-safe.
///
/// Its record beside the partial file is text: a line `kvasir-ranges 1 TOTAL SEGMENT`, then a line
/// `INDEX DONE` for each segment that has begun. It is written after the bytes it speaks of, so
/// after a crash of the process it claims too little at most; what a crash of the machine does to
/// it, the checksum finds out.
final class Segments {
  private static final String HEADER = "kvasir-ranges 1";
  private static final int MAX_SEGMENTS = 1 << 14;

  /// Room for one line of the record.
  private static final int LINE_BYTES = 24;

  private static final long MAX_RECORD_BYTES = 1 << 20;

  private final long totalBytes;
  private final long segmentBytes;
  private final long[] done;
  private final boolean[] taken;

  private Segments(long totalBytes, long segmentBytes) {
    this.totalBytes = totalBytes;
    this.segmentBytes = segmentBytes;
    int count = Math.toIntExact((totalBytes + segmentBytes - 1) / segmentBytes);
    done = new long[count];
    taken = new boolean[count];
  }

  /// Nothing has arrived. Very large files get longer segments than asked for.
  static Segments fresh(long totalBytes, long segmentBytes) {
    long length = Math.max(segmentBytes, (totalBytes + MAX_SEGMENTS - 1) / MAX_SEGMENTS);
    return new Segments(totalBytes, Math.max(1, length));
  }

  /// Nothing has arrived and the file cannot be cut.
  static Segments whole(long totalBytes) {
    return new Segments(totalBytes, Math.max(1, totalBytes));
  }

  /// What the record says has arrived of a file of `totalBytes` bytes; null where there is no
  /// record, or one that does not fit the partial file.
  static @Nullable Segments load(Path record, Path partial, long totalBytes) {
    try {
      if (!Files.isRegularFile(record)
          || Files.size(record) > MAX_RECORD_BYTES
          || !Files.isRegularFile(partial)) {
        return null;
      }
      return parse(Files.readAllLines(record), Files.size(partial), totalBytes);
    } catch (IOException | NumberFormatException e) {
      return null;
    }
  }

  private static @Nullable Segments parse(List<String> lines, long partialBytes, long totalBytes) {
    String[] header = lines.isEmpty() ? new String[0] : lines.getFirst().split(" ", -1);
    if (header.length != 4 || !(header[0] + " " + header[1]).equals(HEADER)) {
      return null;
    }
    long segment = Long.parseLong(header[3]);
    boolean fits =
        Long.parseLong(header[2]) == totalBytes
            && segment > 0
            && totalBytes / segment < MAX_SEGMENTS;
    if (!fits) {
      return null;
    }
    Segments segments = new Segments(totalBytes, segment);
    for (String line : lines.subList(1, lines.size())) {
      if (line.isEmpty()) {
        continue;
      }
      String[] pair = line.split(" ", -1);
      int index = pair.length == 2 ? Integer.parseInt(pair[0]) : -1;
      if (index < 0 || index >= segments.count()) {
        return null;
      }
      long arrived = Long.parseLong(pair[1]);
      if (arrived < 0
          || arrived > segments.length(index)
          || segments.start(index) + arrived > partialBytes) {
        return null;
      }
      segments.done[index] = arrived;
    }
    return segments;
  }

  /// Writes the record, in one step where the disk has room. On a full disk it overwrites the
  /// record that is there: records are padded to one length, so this needs no new space.
  synchronized void save(Path record) throws IOException {
    byte[] text = recordText().getBytes(StandardCharsets.US_ASCII);
    Path fresh = record.resolveSibling(record.getFileName() + ".tmp");
    try {
      Files.write(fresh, text);
      Files.move(
          fresh, record, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      Files.deleteIfExists(fresh);
      Files.write(record, text, StandardOpenOption.WRITE);
    }
  }

  private String recordText() {
    StringBuilder text = new StringBuilder(LINE_BYTES * (done.length + 4));
    text.append(HEADER).append(' ').append(totalBytes).append(' ').append(segmentBytes);
    text.append('\n');
    for (int i = 0; i < done.length; i++) {
      if (done[i] > 0) {
        text.append(i).append(' ').append(done[i]).append('\n');
      }
    }
    int padding = Math.max(0, LINE_BYTES * (done.length + 3) - text.length());
    return text.append("\n".repeat(padding)).toString();
  }

  int count() {
    return done.length;
  }

  long start(int index) {
    return index * segmentBytes;
  }

  long length(int index) {
    return Math.min(segmentBytes, totalBytes - start(index));
  }

  /// Takes a segment that nobody fetches and that is not complete; -1 where there is none.
  synchronized int take() {
    for (int i = 0; i < done.length; i++) {
      if (!taken[i] && done[i] < length(i)) {
        taken[i] = true;
        return i;
      }
    }
    return -1;
  }

  synchronized long done(int index) {
    return done[index];
  }

  synchronized void add(int index, long count) {
    done[index] += count;
  }

  synchronized long arrivedBytes() {
    return Arrays.stream(done).sum();
  }

  synchronized int unfinished() {
    int unfinished = 0;
    for (int i = 0; i < done.length; i++) {
      if (done[i] < length(i)) {
        unfinished++;
      }
    }
    return unfinished;
  }
}
