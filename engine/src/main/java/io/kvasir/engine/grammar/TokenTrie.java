package io.kvasir.engine.grammar;

import io.kvasir.model.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The bytes of a vocabulary's tokens as a prefix tree, so that one walk tests all tokens.
///
/// Nodes stand in preorder in flat arrays: a subtree is a range, and a walk that gives up a subtree
/// jumps over it (the layout of llguidance's "toktrie"). Built once per tokenizer; immutable.
public final class TokenTrie {
  private static final int MAX_TOKEN_BYTES = 4096;

  private final int vocabulary;
  private final byte[] byteOf;
  private final int[] end;
  private final int[] depth;
  private final int[] tokenFrom;
  private final int[] tokens;
  private final byte[][] bytesOf;
  private final boolean[] spellable = new boolean[256];
  private int longest;

  private TokenTrie(List<byte @Nullable []> tokenBytes) {
    vocabulary = tokenBytes.size();
    bytesOf = new byte[vocabulary][];
    List<Integer> order = new ArrayList<>();
    for (int t = 0; t < vocabulary; t++) {
      byte[] bytes = tokenBytes.get(t);
      if (bytes == null || bytes.length == 0 || bytes.length > MAX_TOKEN_BYTES) {
        bytesOf[t] = new byte[0];
        continue;
      }
      bytesOf[t] = bytes;
      order.add(t);
      longest = Math.max(longest, bytes.length);
      if (bytes.length == 1) {
        spellable[bytes[0] & 0xFF] = true;
      }
    }
    order.sort((a, b) -> Arrays.compareUnsigned(bytesOf[a], bytesOf[b]));
    Ints nodeByte = new Ints();
    Ints nodeDepth = new Ints();
    Ints nodeToken = new Ints();
    Ints nodeEnd = new Ints();
    Ints path = new Ints();
    nodeByte.add(0);
    nodeDepth.add(0);
    nodeEnd.add(0);
    nodeToken.add(0);
    path.add(0);
    tokens = order.stream().mapToInt(Integer::intValue).toArray();
    byte[] before = {};
    for (int i = 0; i < tokens.length; i++) {
      byte[] bytes = bytesOf[tokens[i]];
      int common = Arrays.mismatch(before, bytes);
      common = common < 0 ? bytes.length : common;
      while (path.size() > common + 1) {
        nodeEnd.set(path.removeLast(), nodeByte.size());
      }
      for (int d = common; d < bytes.length; d++) {
        path.add(nodeByte.size());
        nodeByte.add(bytes[d]);
        nodeDepth.add(d + 1);
        nodeEnd.add(0);
        nodeToken.add(i); // tokens of this node begin here, unless it has none
      }
      before = bytes;
    }
    while (path.size() > 0) {
      nodeEnd.set(path.removeLast(), nodeByte.size());
    }
    byteOf = new byte[nodeByte.size()];
    for (int n = 0; n < byteOf.length; n++) {
      byteOf[n] = (byte) nodeByte.get(n);
    }
    end = nodeEnd.toArray();
    depth = nodeDepth.toArray();
    nodeToken.add(tokens.length);
    tokenFrom = nodeToken.toArray();
  }

  /// The trie of a tokenizer's text tokens. Control tokens are left out, and so never allowed.
  public static TokenTrie of(Tokenizer tokenizer) {
    List<byte @Nullable []> bytes = new ArrayList<>();
    for (int t = 0; t < tokenizer.vocabularySize(); t++) {
      bytes.add(tokenizer.isSpecial(t) ? null : tokenizer.bytes(t));
    }
    for (int t : tokenizer.endOfGenerationIds()) {
      if (t >= 0 && t < bytes.size()) {
        bytes.set(t, null);
      }
    }
    return new TokenTrie(bytes);
  }

  /// The trie of given tokens; `null` and empty ones are never allowed.
  public static TokenTrie of(List<byte @Nullable []> tokens) {
    List<byte @Nullable []> copy = new ArrayList<>();
    for (byte[] bytes : tokens) {
      copy.add(bytes == null ? null : bytes.clone());
    }
    return new TokenTrie(copy);
  }

  /// How many tokens the vocabulary has, those included that are never allowed.
  public int vocabularySize() {
    return vocabulary;
  }

  /// The bytes of the longest token.
  public int longestToken() {
    return longest;
  }

  /// Bytes of memory, roughly.
  public long bytes() {
    return 13L * byteOf.length + 40L * vocabulary;
  }

  int nodes() {
    return byteOf.length;
  }

  int byteOf(int node) {
    return byteOf[node] & 0xFF;
  }

  /// The first node behind the subtree of `node`.
  int end(int node) {
    return end[node];
  }

  int depth(int node) {
    return depth[node];
  }

  boolean hasToken(int node) {
    int first = tokenFrom[node];
    return first < tokens.length && bytesOf[tokens[first]].length == depth[node];
  }

  /// Sets the bits of the tokens that end in `node`.
  void mark(int node, long[] mask) {
    int to = tokenFrom[node + 1];
    int length = depth[node];
    for (int i = tokenFrom[node]; i < to && bytesOf[tokens[i]].length == length; i++) {
      mask[tokens[i] >> 6] |= 1L << tokens[i];
    }
  }

  /// Notes `need` for the tokens that end in `node`.
  void note(int node, short need, short[] needs) {
    int to = tokenFrom[node + 1];
    int length = depth[node];
    for (int i = tokenFrom[node]; i < to && bytesOf[tokens[i]].length == length; i++) {
      needs[tokens[i]] = need;
    }
  }

  byte[] bytesOf(int token) {
    return bytesOf[token];
  }

  boolean[] spellable() {
    return spellable.clone();
  }
}
