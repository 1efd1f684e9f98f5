package io.kvasir.model.tokenizer;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The key-value metadata of a model file, as far as a tokenizer asks for it. Keys are those of
/// GGUF, such as `tokenizer.ggml.tokens`.
///
/// A getter answers `null` or the fallback for a key that is absent or of another kind; it never
/// throws.
public interface TokenizerMetadata {

  /// The string under `key`.
  @Nullable String string(String key);

  /// The integer under `key`, of any width.
  long integer(String key, long fallback);

  /// The truth value under `key`.
  boolean bool(String key, boolean fallback);

  /// The array of strings under `key`.
  @Nullable List<String> strings(String key);

  /// The array of 32-bit floats under `key`.
  float @Nullable [] floats(String key);

  /// The array of integers under `key`, narrowed to 32 bits.
  int @Nullable [] ints(String key);

  /// The array of bytes under `key`; of wider integers the low eight bits.
  default byte @Nullable [] bytes(String key) {
    int[] values = ints(key);
    if (values == null) {
      return null;
    }
    byte[] out = new byte[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (byte) values[i];
    }
    return out;
  }
}
