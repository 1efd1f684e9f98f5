package io.kvasir.model.plan;

import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.format.PlaneKind;

/// What one layer keeps of a sequence.
///
/// @param kind how it grows
/// @param heads query heads; 0 for a layer without attention
/// @param headDim elements of a query and key head
/// @param valueDim elements of a value head
/// @param kvHeads key and value heads that are cached
/// @param latentDim elements of the one cached row of latent attention, rotated key included; else
///   0
/// @param window positions a query sees, itself included; 0 for all
/// @param stateBytes bytes of recurrent state, whatever the length; 0 for plain attention
public record KvLayer(
    Kind kind,
    int heads,
    int headDim,
    int valueDim,
    int kvHeads,
    int latentDim,
    int window,
    long stateBytes) {

  /// Tokens over which what they share is divided: a multiple of what any format encodes at once.
  private static final int TILE = 128;

  /// How a layer's part of the cache grows with the sequence.
  public enum Kind {
    /// Rows for every token.
    FULL("full attention"),
    /// Rows for the last tokens only.
    WINDOW("sliding window"),
    /// One latent row for every token (MLA).
    LATENT("latent (MLA)"),
    /// A state of fixed size and no rows.
    STATE("recurrent state"),
    /// Reads the rows of an earlier layer.
    SHARED("shared rows");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    /// The kind in words.
    public String label() {
      return label;
    }
  }

  public KvLayer {
    boolean attends = kind == Kind.FULL || kind == Kind.WINDOW || kind == Kind.LATENT;
    if (attends && (heads < 1 || headDim < 1 || valueDim < 1 || kvHeads < 1)) {
      throw new IllegalArgumentException(
          "impossible attention: heads=%d headDim=%d valueDim=%d kvHeads=%d"
              .formatted(heads, headDim, valueDim, kvHeads));
    }
    if (attends && (kvHeads > heads || heads % kvHeads != 0)) {
      throw new IllegalArgumentException(
          heads + " query heads are no multiple of " + kvHeads + " key-value heads");
    }
    if ((kind == Kind.LATENT) != (latentDim > 0) || (kind == Kind.WINDOW) != (window > 0)) {
      throw new IllegalArgumentException(
          "latentDim=%d and window=%d do not fit %s".formatted(latentDim, window, kind));
    }
  }

  /// Whether it has rows of its own in the cache.
  boolean isCached() {
    return kind == Kind.FULL || kind == Kind.WINDOW || kind == Kind.LATENT;
  }

  /// Bytes that one cached token takes in the formats, exact copies aside.
  public double bytesPerToken(KvRecipe.Formats formats) {
    return switch (kind) {
      case FULL, WINDOW ->
          kvHeads
              * (rowBytes(formats.keys(), headDim, PlaneKind.KEYS)
                  + rowBytes(formats.values(), valueDim, PlaneKind.VALUES));
      case LATENT -> rowBytes(formats.keys(), latentDim, PlaneKind.LATENT);
      case STATE, SHARED -> 0;
    };
  }

  private static double rowBytes(KvFormat format, int dim, PlaneKind kind) {
    return (double) format.planeBytes(TILE, dim, kind) / TILE;
  }

  /// Bytes of the exact copies that a sequence of `tokens` has beside its codes, in whole blocks.
  long exactBytes(ExactRows exact, long tokens, int blockTokens) {
    if (!isCached()) {
      return 0;
    }
    long rounded = rounded(tokens, blockTokens);
    long held = Math.min(rounded, rounded(exact.sinks(), blockTokens));
    if (exact.hasTail()) {
      // A tail begins on the grid, which may be inside of a block.
      int inside = blockTokens - Math.min(ExactRows.GRID, Integer.lowestOneBit(blockTokens));
      long tail = rounded((long) exact.tail() + ExactRows.GRID + inside, blockTokens);
      tail = kind == Kind.WINDOW ? Math.min(tail, (long) window + blockTokens) : tail;
      held += Math.min(rounded, tail);
    }
    KvRecipe.Formats plain = new KvRecipe.Formats(KvFormat.F16, KvFormat.F16, ExactRows.NONE);
    return held * (long) bytesPerToken(plain);
  }

  private static long rounded(long tokens, int blockTokens) {
    return (tokens + blockTokens - 1) / blockTokens * blockTokens;
  }

  /// Tokens held of a sequence of `tokens`, in whole blocks; a window may begin and end inside one.
  long tokensHeld(long tokens, int blockTokens) {
    long rounded = rounded(tokens, blockTokens);
    return kind == Kind.WINDOW ? Math.min(rounded, (long) window + blockTokens) : rounded;
  }
}
