package io.kvasir.compute;

/// Rotary position embedding applied to each head of a row.
///
/// Of head `h`, the `2 * table.pairs()` elements from column `h * headDim + offset` on are rotated
/// in pairs: elements `(2i, 2i+1)` where `interleaved` (GPT-J, GGUF's "norm"), else `(i, i +
/// pairs)` (GPT-NeoX, Hugging Face's "rotate half"). `(a, b)` becomes `(a cos - b sin, b cos + a
/// sin)`.
///
/// @param offset first rotated element of a head
public record Rope(RopeTable table, boolean interleaved, int heads, int headDim, int offset) {

  public Rope {
    if (offset + 2 * table.pairs() > headDim) {
      throw new IllegalArgumentException(
          "cannot rotate %d elements from %d on in a head of %d"
              .formatted(2 * table.pairs(), offset, headDim));
    }
  }
}
