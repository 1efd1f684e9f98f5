package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.TokenDraws;

/// The rows of a step's scores whose next token the backend chooses itself, so that their scores
/// stay where they are: the likeliest and drawn ones, see [SamplingOptions#rule]. Rows of other
/// kinds may stand between them. Reused from step to step without allocating.
final class RowChoices {
  private final Backend backend;
  private final int columns;
  private final TokenDraws draws;
  private final Kind[] kinds;
  private final int[] tokens;
  private int rows;
  private int likeliest;
  private int drawn;

  /// @param columns scores of a row
  /// @param mostRows of a step
  RowChoices(Backend backend, int columns, int mostRows) {
    this.backend = backend;
    this.columns = columns;
    draws = new TokenDraws(mostRows);
    kinds = new Kind[mostRows];
    tokens = new int[mostRows];
  }

  /// Who chooses a row's token, and how.
  private enum Kind {
    HOST,
    LIKELIEST,
    DRAWN
  }

  void clear() {
    rows = 0;
    likeliest = 0;
    drawn = 0;
  }

  /// Adds the next row, which is this sequence's.
  void add(Sequence sequence) {
    TokenDraws.Rule rule = sequence.rule();
    int row = rows++;
    if (rule == null || rule.takesBest()) {
      kinds[row] = rule == null ? Kind.HOST : Kind.LIKELIEST;
      likeliest += rule == null ? 0 : 1;
      draws.set(row, TokenDraws.Rule.BEST, 0);
    } else {
      kinds[row] = Kind.DRAWN;
      drawn++;
      long seed = sequence.request().sampling().seed();
      draws.set(row, rule, Sampler.uniform(seed, sequence.generated()));
    }
  }

  /// Asks for all rows at once.
  ///
  /// @param scores whose row `i` is that of the sequence added `i`th
  void choose(Buffer scores) {
    if (drawn > 0 && backend.draw(scores, rows, columns, draws, tokens)) {
      return;
    }
    drawn = 0;
    if (likeliest > 0 && !backend.argmax(scores, rows, columns, tokens)) {
      likeliest = 0;
    }
  }

  /// Whether the row's token is known; else its scores must be read.
  boolean has(int row) {
    return switch (kinds[row]) {
      case HOST -> false;
      case LIKELIEST -> likeliest > 0;
      case DRAWN -> drawn > 0;
    };
  }

  int token(int row) {
    return tokens[row];
  }
}
