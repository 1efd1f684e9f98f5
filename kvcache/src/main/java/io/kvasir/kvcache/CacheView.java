package io.kvasir.kvcache;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A picture of a whole cache between two steps, for people and tests to look at: every block,
/// every table, and the most used prefixes. Made by [KvCache#view]; unchanging, so any thread may
/// read it.
///
/// The counts of all states add up to the capacity.
public final class CacheView {
  private final int blockTokens;
  private final int groups;
  private final byte[] states;
  private final int[] references;
  private final short[] tokens;
  private final byte[] groupOf;
  private final int[] hits;
  private final int[] lastUse;
  private final int[] counts = new int[State.ALL.length];
  private final List<Table> tables;
  private final int tableCount;
  private final List<Prefix> prefixes;

  /// What a block is good for at the moment.
  public enum State {
    /// Nobody's.
    FREE(0),
    /// Held by one table only.
    PRIVATE(1),
    /// Held by a table and at least one more table or pin.
    SHARED(2),
    /// Held by nobody and kept for a later hit.
    CACHED(3),
    /// Held by pins only.
    PINNED(4),
    /// Waiting for bytes from a lower tier.
    IN_TRANSFER(5);

    private static final State[] ALL = values();

    private final int code;

    State(int code) {
      this.code = code;
    }

    /// A number from 0 in the order of the names.
    public int code() {
      return code;
    }
  }

  /// How much a picture tells, so that its cost is bounded.
  ///
  /// @param tables most tables that are told with their blocks
  /// @param prefixes most prefixes
  /// @param depth most prefixes from a root to a leaf
  public record Limits(int tables, int prefixes, int depth) {
    public static final Limits DEFAULT = new Limits(64, 48, 12);

    public Limits {
      if (tables < 0 || prefixes < 0 || depth < 1) {
        throw new IllegalArgumentException(
            "a view cannot have %d tables and %d prefixes of depth %d"
                .formatted(tables, prefixes, depth));
      }
    }
  }

  /// One sequence's table.
  ///
  /// @param id stays the same over the table's life and is never used again
  /// @param length computed positions
  /// @param reserved positions that have room
  /// @param first for each layer group the index of its first block
  /// @param blocks for each layer group the ids of its blocks, in order; not to be written
  /// @param inTransfer whether it waits for blocks from a lower tier
  @SuppressWarnings("ArrayRecordComponent") // compact; handed to readers that do not write
  public record Table(
      long id, int length, int reserved, int[] first, int[][] blocks, boolean inTransfer) {}

  /// Some blocks of tokens that follow each other without a branch in the prefix tree, as one edge
  /// of a radix tree.
  ///
  /// @param parent place of the prefix before it in [CacheView#prefixes]; -1 at a root
  /// @param salt of the root; null where a reset has made it findable by nobody
  /// @param position of its first token
  /// @param tokens how many it stands for
  /// @param below tokens of the whole subtree, its own included
  /// @param hits how often a lookup found its first block
  /// @param references tables and pins that hold its first block
  /// @param children prefixes that follow its last block
  /// @param head its first tokens; not to be written
  @SuppressWarnings("ArrayRecordComponent") // as above
  public record Prefix(
      int parent,
      @Nullable String salt,
      int position,
      int tokens,
      long below,
      int hits,
      int references,
      int children,
      int[] head) {}

  CacheView(Cells cells, List<Table> tables, int tableCount, List<Prefix> prefixes) {
    this.blockTokens = cells.blockTokens;
    this.groups = cells.groups;
    this.states = cells.states;
    this.references = cells.references;
    this.tokens = cells.tokens;
    this.groupOf = cells.groupOf;
    this.hits = cells.hits;
    this.lastUse = cells.lastUse;
    this.tables = List.copyOf(tables);
    this.tableCount = tableCount;
    this.prefixes = List.copyOf(prefixes);
    for (byte state : states) {
      counts[state]++;
    }
  }

  /// What is told of each block, while it is gathered.
  static final class Cells {
    final int blockTokens;
    final int groups;
    final byte[] states;
    final int[] references;
    final short[] tokens;
    final byte[] groupOf;
    final int[] hits;
    final int[] lastUse;

    Cells(int blockTokens, int groups, int blocks) {
      this.blockTokens = blockTokens;
      this.groups = groups;
      states = new byte[blocks];
      references = new int[blocks];
      tokens = new short[blocks];
      groupOf = new byte[blocks];
      hits = new int[blocks];
      lastUse = new int[blocks];
    }
  }

  public int capacityBlocks() {
    return states.length;
  }

  /// Positions of a full block.
  public int blockTokens() {
    return blockTokens;
  }

  /// Layer groups, each with blocks of its own.
  public int groups() {
    return groups;
  }

  public State state(int block) {
    return State.ALL[states[block]];
  }

  /// [State#code] of the block's state.
  public int stateCode(int block) {
    return states[block];
  }

  /// Tables and pins that hold the block.
  public int references(int block) {
    return references[block];
  }

  /// Positions of the block that are computed.
  public int tokens(int block) {
    return tokens[block];
  }

  /// The layer group the block serves; 0 for a free one.
  public int group(int block) {
    return groupOf[block];
  }

  /// How often a lookup found the block's tokens.
  public int hits(int block) {
    return hits[block];
  }

  /// For a cached block a number that grows with the time of its last use; 0 for others.
  public int lastUse(int block) {
    return lastUse[block];
  }

  /// How many blocks are in the state.
  public int count(State state) {
    return counts[state.code()];
  }

  /// Live tables: the first [Limits#tables] of them, oldest first.
  public List<Table> tables() {
    return tables;
  }

  /// Live tables, told or not.
  public int tableCount() {
    return tableCount;
  }

  /// The most used prefixes, each after the one before it.
  public List<Prefix> prefixes() {
    return prefixes;
  }
}
