package io.kvasir.engine.grammar;

import io.kvasir.engine.TokenConstraint;

/// A compiled grammar, bound to a vocabulary. Immutable but for its bounded cache of masks; any
/// number of answers may use one at once.
///
/// What it guarantees: an answer that ends where [TokenConstraint#mayEnd] holds is in the grammar's
/// language, and every answer under way can be continued to such an end, as far as the vocabulary
/// has a token for each byte; compilation leaves out what the vocabulary cannot spell.
public final class Grammar implements TokenConstraint.Factory {
  private final Automaton automaton;
  private final TokenTrie trie;
  private final MaskCache masks;

  Grammar(Automaton automaton, TokenTrie trie, long maskCacheBytes) {
    this.automaton = automaton;
    this.trie = trie;
    this.masks = new MaskCache(maskCacheBytes);
  }

  @Override
  public TokenConstraint start() {
    return new GrammarConstraint(this, MaskWalker.UNLIMITED);
  }

  /// The same grammar for answers of at most `maxTokens` tokens: as the limit comes near, only
  /// tokens are allowed after which the answer can still be ended within it. So an answer is cut by
  /// the limit only where no valid answer fits at all. Needs a vocabulary with a token for each
  /// byte.
  public TokenConstraint.Factory within(int maxTokens) {
    if (maxTokens < 0) {
      throw new IllegalArgumentException("maxTokens is " + maxTokens);
    }
    return () -> new GrammarConstraint(this, maxTokens);
  }

  /// A bound on the bytes of the shortest answer: it has at most so many tokens.
  public long shortestBytes() {
    Threads start = new Threads(automaton);
    start.add(0, automaton.start, automaton.counting(automaton.start).first(), null);
    return start.cost(0);
  }

  /// Bytes of memory of the automaton, roughly; the masks come on top, see [#maskBytes].
  public long bytes() {
    return automaton.bytes();
  }

  /// Bytes of memory of the masks that are cached now.
  public long maskBytes() {
    return masks.bytes();
  }

  /// Whether the whole of `text` is in the language, for tests and tools.
  boolean matches(byte[] text) {
    GrammarConstraint constraint = new GrammarConstraint(this, MaskWalker.UNLIMITED);
    for (byte b : text) {
      if (!constraint.acceptByte(b & 0xFF)) {
        return false;
      }
    }
    return constraint.mayEnd();
  }

  Automaton automaton() {
    return automaton;
  }

  TokenTrie trie() {
    return trie;
  }

  MaskCache masks() {
    return masks;
  }
}
