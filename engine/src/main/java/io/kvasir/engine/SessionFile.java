package io.kvasir.engine;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.tier.BlockChecksum;
import io.kvasir.kvcache.tier.KvStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// A conversation in a file: its tokens and the cache blocks that a next request needs of it.
///
/// ```
/// "KVSESS01" | fingerprint 32 ascii | tokens n | groups G | (first block, end block) x G
///            | token x n | CRC-32C of all before                             4 bytes each
/// blocks     | blockBytes | checksum 8 bytes |  group by group, in order of position
/// ```
///
/// Numbers are little endian. A file is written beside its place and moved there when it is whole.
final class SessionFile {
  private static final byte[] MAGIC = "KVSESS01".getBytes(StandardCharsets.US_ASCII);
  private static final int FINGERPRINT_BYTES = 32;
  private static final int FIXED_BYTES = 8 + FINGERPRINT_BYTES + 4 + 4;

  private SessionFile() {}

  /// What a file's head says.
  ///
  /// @param firstBlocks per group, index of the first block in the file
  /// @param endBlocks per group, one past the index of the last
  /// @param bodyOffset where the blocks begin
  @SuppressWarnings("ArrayRecordComponent") // read once, never shared
  record Saved(int[] tokens, int[] firstBlocks, int[] endBlocks, long bodyOffset) {}

  /// Writes the table's blocks.
  static void write(Path file, String fingerprint, int[] tokens, BlockTable table, KvCache cache)
      throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Path part = Files.createTempFile(folder, file.getFileName() + ".", ".part");
    try {
      try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE);
          Arena arena = Arena.ofConfined()) {
        writeFully(channel, head(fingerprint, tokens, table, cache.layout().groups().size()));
        long blockBytes = cache.layout().blockBytes();
        MemorySegment record = arena.allocate(blockBytes + Long.BYTES, 64);
        for (int group = 0; group < cache.layout().groups().size(); group++) {
          for (int i = table.firstBlock(group); i < table.endBlock(group); i++) {
            cache.storage().read(table.block(group, i), record.asSlice(0, blockBytes));
            ByteBuffer bytes = record.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            long checksum = BlockChecksum.of(record.asSlice(0, blockBytes));
            bytes.putLong((int) blockBytes, checksum);
            writeFully(channel, bytes);
          }
        }
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      Files.deleteIfExists(part);
      throw new IOException("cannot write the session to " + file + ": " + e.getMessage(), e);
    }
  }

  private static ByteBuffer head(String fingerprint, int[] tokens, BlockTable table, int groups) {
    int length = FIXED_BYTES + 8 * groups + 4 * tokens.length;
    ByteBuffer head = ByteBuffer.allocate(length + 4).order(ByteOrder.LITTLE_ENDIAN);
    head.put(MAGIC).put(fingerprint.getBytes(StandardCharsets.US_ASCII));
    head.putInt(tokens.length).putInt(groups);
    for (int group = 0; group < groups; group++) {
      head.putInt(table.firstBlock(group)).putInt(table.endBlock(group));
    }
    for (int token : tokens) {
      head.putInt(token);
    }
    return head.putInt(crc(head, length)).flip();
  }

  private static int crc(ByteBuffer bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.slice(0, length));
    return (int) crc.getValue();
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /// Reads and checks the head.
  static Saved read(Path file, String fingerprint, KvLayout layout, int contextTokens)
      throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer fixed = read(channel, 0, FIXED_BYTES, file);
      byte[] magic = new byte[MAGIC.length];
      byte[] model = new byte[FINGERPRINT_BYTES];
      fixed.get(magic).get(model);
      if (!Arrays.equals(magic, MAGIC)) {
        throw new IOException(file + " is not a saved session");
      }
      if (!new String(model, StandardCharsets.US_ASCII).equals(fingerprint)) {
        throw new IOException(
            file + " was saved with another model, cache format or block size; load it with those");
      }
      int count = fixed.getInt();
      int groups = fixed.getInt();
      if (count < 1 || groups != layout.groups().size()) {
        throw damaged(file);
      }
      if (count > contextTokens) {
        throw new IOException(
            "%s holds %d tokens and the context is %d; open the model with a larger one"
                .formatted(file, count, contextTokens));
      }
      int length = FIXED_BYTES + 8 * groups + 4 * count;
      ByteBuffer head = read(channel, 0, length + 4, file);
      if (crc(head, length) != head.getInt(length)) {
        throw damaged(file);
      }
      int[] first = new int[groups];
      int[] end = new int[groups];
      head.position(FIXED_BYTES);
      for (int group = 0; group < groups; group++) {
        first[group] = head.getInt();
        end[group] = head.getInt();
      }
      int[] tokens = new int[count];
      head.asIntBuffer().get(tokens);
      Saved saved = new Saved(tokens, first, end, length + 4);
      if (!isWhole(saved, layout, channel.size())) {
        throw damaged(file);
      }
      return saved;
    } catch (NoSuchFileException e) {
      throw new IOException("there is no file " + file, e);
    }
  }

  /// Whether the file has exactly the blocks that a query after its tokens sees.
  private static boolean isWhole(Saved saved, KvLayout layout, long fileBytes) {
    int count = saved.tokens().length;
    long blocks = 0;
    for (LayerGroup group : layout.groups()) {
      int end = group.endBlock(count, layout.blockTokens());
      int first = Math.min(end, group.firstVisible(count) / layout.blockTokens());
      if (saved.firstBlocks()[group.index()] != first || saved.endBlocks()[group.index()] != end) {
        return false;
      }
      blocks += end - first;
    }
    return fileBytes == saved.bodyOffset() + blocks * (layout.blockBytes() + Long.BYTES);
  }

  private static ByteBuffer read(FileChannel channel, long at, int length, Path file)
      throws IOException {
    if (channel.size() < at + length) {
      throw damaged(file);
    }
    ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining() && channel.read(bytes, at + bytes.position()) >= 0) {}
    return bytes.flip();
  }

  private static IOException damaged(Path file) {
    return new IOException(file + " is a damaged session file; nothing was loaded");
  }

  /// A table with room for all of the session, holding what the cache has of it already; null where
  /// there is no room.
  static @Nullable BlockTable reserve(KvCache cache, String salt, Saved saved) {
    // One more token, since a lookup never matches the last.
    int[] prompt = Arrays.copyOf(saved.tokens(), saved.tokens().length + 1);
    BlockTable table = cache.lookup(salt, prompt);
    int missing = saved.tokens().length - table.length();
    if (cache.reserve(table, missing) instanceof Reservation.Insufficient) {
      cache.release(table);
      return null;
    }
    return table;
  }

  /// Fills the reserved blocks of the table.
  static void fill(Path file, Saved saved, BlockTable table, KvStorage storage, KvLayout layout)
      throws IOException {
    long recordBytes = layout.blockBytes() + Long.BYTES;
    int own = table.length() / layout.blockTokens();
    try (FileChannel channel = FileChannel.open(file);
        Arena arena = Arena.ofConfined()) {
      MemorySegment record = arena.allocate(recordBytes, 64);
      long at = saved.bodyOffset();
      for (int group = 0; group < layout.groups().size(); group++) {
        int end = saved.endBlocks()[group];
        for (int i = saved.firstBlocks()[group]; i < end; i++, at += recordBytes) {
          if (i >= Math.max(own, table.firstBlock(group)) && i < table.endBlock(group)) {
            readBlock(channel, at, record, file);
            storage.write(table.block(group, i), record.asSlice(0, layout.blockBytes()));
          }
        }
      }
    }
  }

  private static void readBlock(FileChannel channel, long at, MemorySegment record, Path file)
      throws IOException {
    ByteBuffer bytes = record.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, at + bytes.position()) < 0) {
        throw damaged(file);
      }
    }
    int blockBytes = bytes.capacity() - Long.BYTES;
    if (BlockChecksum.of(record.asSlice(0, blockBytes)) != bytes.getLong(blockBytes)) {
      throw damaged(file);
    }
  }
}
