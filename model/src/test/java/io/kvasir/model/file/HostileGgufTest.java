package io.kvasir.model.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Files that lie: every one ends in one sentence, none in memory or time lost.
class HostileGgufTest {
  private static final int F32 = 0;
  private static final int Q8_0 = 8;
  private static final int U32 = 4;
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  @TempDir Path folder;

  static Stream<Arguments> lies() {
    return Stream.of(
        Arguments.of("", "is empty"),
        Arguments.of("GG", "cut off at byte 2"),
        Arguments.of("<!DOCTYPE html>", "is no GGUF file: it starts with 0x3c21444f"),
        lie(GgufBytes.header(1, 0, 0), "GGUF version 1; Kvasir reads 2 and 3"),
        lie(GgufBytes.header(4, 0, 0), "GGUF version 4"),
        lie(GgufBytes.header(-1, 0, 0), "GGUF version 4294967295"),
        lie(GgufBytes.header(3 << 24, 0, 0), "big-endian"),
        lie(GgufBytes.header(3, -1, 0), "claims 18446744073709551615 tensors"),
        lie(GgufBytes.header(3, 1, 0), "claims 1 tensors but only 8 bytes follow"),
        lie(GgufBytes.header(3, 0, Long.MAX_VALUE), "claims 9223372036854775807 metadata"),
        lie(GgufBytes.header(3, 0, 1).i64(1L << 62).zeros(9), "claims 4611686018427387904 bytes"),
        lie(GgufBytes.header(3, 0, 1).string("k").i32(13).zeros(9), "unknown type 13"),
        lie(GgufBytes.header(3, 0, 1).string("k").i32(-1).zeros(9), "unknown type -1"),
        lie(GgufBytes.header(3, 0, 1).string("k").i32(STRING).i64(-1), "bytes of metadata 'k'"),
        lie(
            GgufBytes.header(3, 0, 1).string("k").i32(ARRAY).i32(U32).i64(1L << 61),
            "claims 2305843009213693952 elements of metadata 'k'"),
        lie(
            GgufBytes.header(3, 0, 1).string("k").i32(ARRAY).i32(STRING).i64(2).zeros(12),
            "claims 2 elements"),
        lie(nestedArrays(40), "nests arrays deeper"),
        lie(
            GgufBytes.header(3, 0, 2).string("k").i32(U32).i32(1).string("k").i32(U32).i32(1),
            "metadata 'k' is there twice"),
        lie(alignment(0), "alignment is 0"),
        lie(alignment(24), "alignment is 24"),
        lie(alignment(1 << 30), "alignment is 1073741824"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 0, 1, 1, 1, 1, 1), "5 dimensions"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 0, -1), "no valid number of elements"),
        lie(
            GgufBytes.header(3, 1, 0).tensor("t", F32, 0, 1L << 32, 1L << 32),
            "no valid number of elements"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 0, 1L << 62), "too many"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", Q8_0, 0, 33), "blocks of 32"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", 4, 0, 32), "number format 4"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", 1 << 20, 0, 32), "number format 1048576"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 4, 1).pad(32).zeros(64), "multiple of 32"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, -32, 1).pad(32).zeros(64), "multiple of"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 0, 9).pad(32).zeros(32), "cut off"),
        lie(GgufBytes.header(3, 1, 0).tensor("t", F32, 1L << 62, 1).pad(32).zeros(32), "cut off"),
        lie(
            GgufBytes.header(3, 2, 0)
                .tensor("t", F32, 0, 9)
                .tensor("u", F32, 32, 1)
                .pad(32)
                .zeros(64),
            "tensor 't' and tensor 'u' overlap"),
        lie(
            GgufBytes.header(3, 2, 0)
                .tensor("t", F32, 0, 8)
                .tensor("t", F32, 32, 1)
                .pad(32)
                .zeros(64),
            "two tensors called 't'"),
        lie(GgufBytes.header(3, 1, 0).tensor("n".repeat(5000), F32, 0, 1), "5000 characters"),
        lie(GgufBytes.header(3, 1, 0).tensor("\u001b[31mt\n", F32, 0, 9), "'?[31mt?'"));
  }

  private static Arguments lie(GgufBytes bytes, String message) {
    return Arguments.of(bytes, message);
  }

  private static GgufBytes alignment(int alignment) {
    return GgufBytes.header(3, 0, 1).string("general.alignment").i32(U32).i32(alignment);
  }

  private static GgufBytes nestedArrays(int depth) {
    GgufBytes bytes = GgufBytes.header(3, 0, 1).string("k").i32(ARRAY);
    for (int i = 0; i < depth; i++) {
      bytes.i32(ARRAY).i64(1);
    }
    return bytes.i32(U32).i64(0);
  }

  @ParameterizedTest
  @MethodSource("lies")
  void open_lyingFile_isRefusedInOneSentence(Object content, String message) throws IOException {
    byte[] bytes =
        content instanceof GgufBytes built
            ? built.bytes()
            : ((String) content).getBytes(StandardCharsets.UTF_8);
    Path file = Files.write(folder.resolve("m.gguf"), bytes);
    assertThatThrownBy(() -> GgufFile.open(file))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("m.gguf")
        .hasMessageContaining(message)
        .message()
        .hasSizeLessThan(500)
        .hasLineCount(1);
  }

  @Test
  void open_version2WithEveryArrayKind_isRead() throws IOException {
    GgufBytes bytes = GgufBytes.header(2, 1, 1).string("k").i32(ARRAY).i32(ARRAY).i64(2);
    bytes.i32(U32).i64(1).i32(7).i32(STRING).i64(1).string("x");
    bytes.tensor("t", F32, 0, 2).pad(32).zeros(8);
    Path file = Files.write(folder.resolve("m.gguf"), bytes.bytes());
    try (GgufFile model = GgufFile.open(file)) {
      assertThat(model.get("t").toFloats()).containsExactly(0, 0);
      assertThat(model.metadata().find("k")).isInstanceOf(GgufValue.Array.class);
      assertThatThrownBy(() -> model.metadata().ints("k"))
          .isInstanceOf(ModelFormatException.class)
          .hasMessageContaining("an array of 2 ARRAY");
    }
  }

  @Test
  void open_truncatedAnywhere_isRefused() throws IOException {
    Path file = Files.copy(SharedFiles.defaultGguf(), folder.resolve("m.gguf"));
    assertThat(file.toFile().setWritable(true)).isTrue();
    long size = Files.size(file);
    SplittableRandom random = new SplittableRandom(3);
    // From the end to the start, since a file is shortened in place: 100 cuts in the header (the
    // first 400 KB) and 100 in the data; the last bytes may be padding.
    long[] cuts = new long[200];
    for (int i = 0; i < cuts.length; i++) {
      cuts[i] = i < 100 ? random.nextLong(400_000) : random.nextLong(400_000, size - 32);
    }
    Arrays.sort(cuts);
    for (int i = cuts.length - 1; i >= 0; i--) {
      try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
        access.setLength(cuts[i]);
      }
      assertThatThrownBy(() -> GgufFile.open(file))
          .as("cut at %d", cuts[i])
          .isInstanceOf(ModelFormatException.class);
    }
  }

  @Test
  void open_flippedHeaderBytes_openOrAreRefused() throws IOException {
    long seed = Long.getLong("kvasir.test.seed", 20261122L);
    byte[] original = Mutations.smallGguf(folder);
    SplittableRandom random = new SplittableRandom(seed);
    int refused = 0;
    for (int round = 0; round < 6_000; round++) {
      byte[] mutated = Mutations.mutate(original, random);
      refused += read(mutated, seed, round) ? 0 : 1;
    }
    assertThat(refused).as("mutations that were noticed").isBetween(1_500, 6_000);
  }

  private static boolean read(byte[] bytes, long seed, int round) {
    try {
      return GgufFuzzTarget.read(bytes);
    } catch (RuntimeException | Error e) {
      throw new AssertionError("seed " + seed + " round " + round, e);
    }
  }

  @Test
  void open_fuzzingCorpus_opensOrIsRefused() throws IOException {
    FuzzCorpus.forEach("gguf", GgufFuzzTarget::fuzzerTestOneInput);
  }
}
