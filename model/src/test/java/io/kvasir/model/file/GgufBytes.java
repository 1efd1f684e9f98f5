package io.kvasir.model.file;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// Builds GGUF files byte by byte, wrong ones included.
final class GgufBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  static GgufBytes header(int version, long tensors, long entries) {
    return new GgufBytes().text("GGUF").i32(version).i64(tensors).i64(entries);
  }

  GgufBytes text(String ascii) {
    out.writeBytes(ascii.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  GgufBytes i32(int value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out.write(value >> shift);
    }
    return this;
  }

  GgufBytes i64(long value) {
    return i32((int) value).i32((int) (value >> 32));
  }

  GgufBytes string(String value) {
    return i64(value.getBytes(StandardCharsets.UTF_8).length).text(value);
  }

  /// A tensor entry with the sizes innermost first.
  GgufBytes tensor(String name, int type, long offset, long... sizes) {
    string(name).i32(sizes.length);
    for (long size : sizes) {
      i64(size);
    }
    return i32(type).i64(offset);
  }

  GgufBytes pad(int alignment) {
    while (out.size() % alignment != 0) {
      out.write(0);
    }
    return this;
  }

  GgufBytes zeros(int count) {
    out.writeBytes(new byte[count]);
    return this;
  }

  byte[] bytes() {
    return out.toByteArray();
  }
}
