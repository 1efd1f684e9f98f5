package io.kvasir.sim;

import java.util.Arrays;

/// A made-up text that grows at its end: pieces of contents, of which only number and length are
/// known. Two texts share a block exactly where they are made of the same pieces up to its end.
final class PromptText {
  private final int blockTokens;
  private long[] hashes;
  private int blocks;
  private long tail;
  private int tokens;

  PromptText(int blockTokens) {
    this.blockTokens = blockTokens;
    this.hashes = new long[8];
  }

  /// A text that goes on from where this one is.
  PromptText copy() {
    PromptText copy = new PromptText(blockTokens);
    copy.hashes = Arrays.copyOf(hashes, Math.max(8, blocks));
    copy.blocks = blocks;
    copy.tail = tail;
    copy.tokens = tokens;
    return copy;
  }

  /// Adds `count` tokens of the content called `content`, from its beginning.
  PromptText add(long content, int count) {
    int offset = 0;
    while (offset < count) {
      int part = Math.min(count - offset, blockTokens - tokens % blockTokens);
      tail = Mix.mix(Mix.mix(Mix.mix(tail ^ content) + offset) + part);
      offset += part;
      tokens += part;
      if (tokens % blockTokens == 0) {
        endBlock();
      }
    }
    return this;
  }

  private void endBlock() {
    if (blocks == TraceBuilder.MAX_REQUEST_BLOCKS) {
      throw new TraceFormatException(
          "a prompt of the workload has more than " + blocks + " blocks; make it shorter");
    }
    if (blocks == hashes.length) {
      hashes = Arrays.copyOf(hashes, 2 * blocks);
    }
    hashes[blocks++] = tail;
  }

  int tokens() {
    return tokens;
  }

  /// Full blocks.
  int blocks() {
    return blocks;
  }

  long hash(int block) {
    return hashes[block];
  }
}
