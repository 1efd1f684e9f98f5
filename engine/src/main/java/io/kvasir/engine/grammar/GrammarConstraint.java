package io.kvasir.engine.grammar;

import io.kvasir.engine.TokenConstraint;
import java.util.Arrays;

/// One answer's way through a [Grammar].
final class GrammarConstraint implements TokenConstraint {
  /// So many places at once are followed from one token to the next.
  private static final int MAX_PLACES = 256;

  private final Automaton automaton;
  private final TokenTrie trie;
  private final MaskWalker walker;
  private final Threads places;
  private final Threads scratch;
  private final Threads after;
  private final long[] mask;
  private boolean maskValid;
  private long tokensLeft;

  GrammarConstraint(Grammar grammar, long tokensLeft) {
    this.automaton = grammar.automaton();
    this.trie = grammar.trie();
    this.walker = new MaskWalker(automaton, trie, grammar.masks());
    this.places = new Threads(automaton);
    this.scratch = new Threads(automaton);
    this.after = new Threads(automaton);
    this.mask = new long[(trie.vocabularySize() + 63) / 64];
    this.tokensLeft = tokensLeft;
    places.add(0, automaton.start, automaton.counting(automaton.start).first(), null);
  }

  @Override
  public long[] allowed() {
    if (!maskValid) {
      fill(tokensLeft == MaskWalker.UNLIMITED ? tokensLeft : tokensLeft - 1);
      if (tokensLeft != MaskWalker.UNLIMITED && isEmpty()) {
        fill(MaskWalker.UNLIMITED); // nothing that fits: what is valid as far as it goes
      }
      maskValid = true;
    }
    return mask;
  }

  private void fill(long limit) {
    Arrays.fill(mask, 0);
    walker.begin();
    for (int i = 0; i < places.size(); i++) {
      walker.addAllowed(places, i, limit, mask);
    }
  }

  private boolean isEmpty() {
    for (long word : mask) {
      if (word != 0) {
        return false;
      }
    }
    return true;
  }

  @Override
  public boolean mayEnd() {
    return places.canEnd(0, true);
  }

  @Override
  public void accept(int token) {
    if (token < 0 || token >= trie.vocabularySize()) {
      throw new IllegalArgumentException("token " + token + " is not in the vocabulary");
    }
    byte[] bytes = trie.bytesOf(token);
    if (bytes.length == 0) {
      throw new IllegalArgumentException("token " + token + " is no text");
    }
    after.truncate(0);
    for (int i = 0; i < places.size() && after.size() < MAX_PLACES; i++) {
      read(i, bytes);
    }
    if (after.size() == 0) {
      throw new IllegalArgumentException("token " + token + " is not allowed here");
    }
    places.set(after);
    maskValid = false;
    if (tokensLeft != MaskWalker.UNLIMITED) {
      tokensLeft--;
    }
  }

  /// Reads `bytes` from place `i` and adds where that leads. Each place is followed alone, as for
  /// the mask, so that what is given up where there are very many never empties a mask's promise.
  private void read(int i, byte[] bytes) {
    scratch.truncate(0);
    scratch.add(0, places.state(i), places.count(i), places.stack(i));
    int from = 0;
    for (byte b : bytes) {
      int to = scratch.size();
      scratch.step(from, to, b & 0xFF);
      from = to;
    }
    for (int j = from; j < scratch.size() && after.size() < MAX_PLACES; j++) {
      after.add(0, scratch.state(j), scratch.count(j), scratch.stack(j));
    }
  }

  /// Reads one byte and says whether it was possible.
  boolean acceptByte(int b) {
    int size = places.size();
    places.step(0, size, b);
    places.removeBefore(size);
    maskValid = false;
    return places.size() > 0;
  }
}
