package io.kvasir.model.file;

import org.jspecify.annotations.Nullable;

/// The kinds of metadata values in a GGUF file; [#id] is their id in the file.
public enum GgufType {
  U8(0, 1),
  I8(1, 1),
  U16(2, 2),
  I16(3, 2),
  U32(4, 4),
  I32(5, 4),
  F32(6, 4),
  BOOL(7, 1),
  /// A 64-bit length and as many bytes of UTF-8.
  STRING(8, -1),
  /// An element type, a 64-bit count and the elements.
  ARRAY(9, -1),
  U64(10, 8),
  I64(11, 8),
  F64(12, 8);

  private static final GgufType[] BY_ID = values();

  private final int id;
  private final int bytes;

  GgufType(int id, int bytes) {
    this.id = id;
    this.bytes = bytes;
  }

  /// The bytes of one value, -1 where they vary.
  int bytes() {
    return bytes;
  }

  int id() {
    return id;
  }

  static @Nullable GgufType find(int id) {
    return id >= 0 && id < BY_ID.length ? BY_ID[id] : null;
  }
}
