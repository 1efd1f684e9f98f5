package io.kvasir.compute.cpu;

import io.kvasir.compute.ExpertSelection;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.ScalarMath;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Mixtures of experts: rows are grouped by the expert that they chose, so that its weights are
/// read and decoded once for all of them, and the experts of a wave are computed in two regions,
/// one for their inner rows and one for their results. The shared network is one more expert, of
/// all rows.
///
/// The results of a row are added in the order of its own choice, best expert first, so its bits
/// are the same in any company. A wave has as many experts as memory allows, at least one; so many
/// rows are taken at a time that their results fit into memory too.
final class CpuExperts {
  /// Elements of the rows of a wave, those that go in or the inner ones: memory for packed rows and
  /// inner rows is a few times that.
  private static final int WAVE_ELEMENTS = 8 << 20;

  /// Elements of the results that are waiting to be added.
  private static final int PART_ELEMENTS = 32 << 20;

  private static final HostBuffer NOTHING = HostBuffer.allocate(1, 1);

  private final Products products;
  private final Networks networks;
  private final ExpertRows groups = new ExpertRows();
  private final ProductBatch batch = new ProductBatch();
  private final RowSteps steps;
  private final int mostInWave;
  private final int mostResults;
  private HostBuffer gathered = NOTHING;
  private float[] results = {};

  CpuExperts(KernelPool pool, Products products, Networks networks) {
    this(pool, products, networks, WAVE_ELEMENTS, PART_ELEMENTS);
  }

  /// @param mostInWave elements of rows that are computed together, unless they are one expert's
  /// @param mostResults elements of results before they are added, unless they are one row's
  CpuExperts(
      KernelPool pool, Products products, Networks networks, int mostInWave, int mostResults) {
    this.mostInWave = mostInWave;
    this.mostResults = mostResults;
    this.products = products;
    this.networks = networks;
    steps = new RowSteps(pool);
  }

  /// The weighted sums of the experts for all rows.
  ///
  /// @param scratch with the logits of the router, and of the shared network's gate, of all rows
  void mix(MixtureOfExperts moe, MoeScratch scratch, HostBuffer in, HostBuffer out, int rows) {
    int choices = moe.routing().expertsPerRow() + (moe.shared() == null ? 0 : 1);
    int most = Math.clamp(mostResults / ((long) choices * out.columns()), 1, rows);
    reserve(moe, scratch, in.columns(), out.columns(), most * choices, most);
    steps.selections = scratch.selections();
    steps.logits = scratch.logits(rows);
    steps.gates = moe.sharedGate() == null ? null : scratch.gates(rows);
    steps.in = in;
    steps.out = out;
    for (int r = 0; r < rows; r += most) {
      groups.start(moe, r, Math.min(most, rows - r));
      steps.choose();
      groups.group();
      int group = 0;
      while (group < groups.count()) {
        group = wave(group, in, out.columns());
      }
      steps.add();
    }
  }

  /// Makes room for the most that so many rows can need, whatever they choose.
  private void reserve(
      MixtureOfExperts moe, MoeScratch scratch, int inputs, int outputs, int slots, int rows) {
    int size = Math.multiplyExact(slots, outputs);
    if (results.length < size) {
      results = new float[size];
    }
    batch.reserve(Math.min(slots, moe.experts().size() + 1));
    networks.reserve(waveElements(slots, rows, scratch.mostInner()));
    if (scratch.copiesRows()) {
      int copies = waveElements(slots, rows, inputs) / inputs;
      if (gathered.columns() != inputs || gathered.rows() < copies) {
        gathered = HostBuffer.allocate(copies, inputs);
      }
    }
  }

  private int waveElements(int slots, int rows, int columns) {
    long one = (long) rows * columns;
    return Math.toIntExact(Math.min((long) slots * columns, Math.max(one, mostInWave)));
  }

  /// Computes as many experts as fit into memory.
  ///
  /// @return the first one that is left
  private int wave(int first, HostBuffer in, int outputs) {
    FeedForward network = groups.network(first);
    if (isProvided(network)) {
      steps.copy(first, first + 1, gathered);
      networks.feedForward(
          network, gathered, results, groups.first(first) * outputs, groups.size(first));
      return first + 1;
    }
    int end = end(first, in.columns());
    boolean copies = groups.weighsInput();
    if (copies) {
      steps.copy(first, end, gathered);
    }
    batch.clear();
    int innerAt = 0;
    for (int g = first; g < end; g++) {
      int rows = groups.size(g);
      ProductBatch.Entry entry = networks.addInner(batch, groups.network(g), rows, innerAt);
      if (copies) {
        int row = groups.first(g) - groups.first(first);
        entry.from(gathered.values(), row * in.columns(), in.columns());
      } else {
        entry.from(in.values(), 0, in.columns());
        entry.choose(groups.rows(), groups.first(g));
      }
      innerAt += rows * groups.network(g).innerSize();
    }
    products.multiply(batch);
    down(first, end, outputs);
    return end;
  }

  private void down(int first, int end, int outputs) {
    batch.clear();
    int innerAt = 0;
    for (int g = first; g < end; g++) {
      FeedForward network = groups.network(g);
      Product down = batch.add().product;
      Networks.set(down, network.down(), groups.size(g));
      down.from(networks.inner(), innerAt, network.innerSize());
      down.to(results, groups.first(g) * outputs, outputs);
      innerAt += groups.size(g) * network.innerSize();
    }
    products.multiply(batch);
  }

  /// The end of the wave that begins with an expert.
  private int end(int first, int inputs) {
    long rows = 0;
    long inner = 0;
    int end = first;
    do {
      rows += groups.size(end);
      inner += (long) groups.size(end) * groups.network(end).innerSize();
      end++;
    } while (end < groups.count()
        && !isProvided(groups.network(end))
        && (rows + groups.size(end)) * inputs <= mostInWave
        && inner + (long) groups.size(end) * groups.network(end).innerSize() <= mostInWave);
    return end;
  }

  /// Whether a provider has taken one of the matrices.
  static boolean isProvided(FeedForward network) {
    return Networks.isProvided(network.up())
        || Networks.isProvided(network.down())
        || network.gate() != null && Networks.isProvided(network.gate());
  }

  /// What is done for each row, or each pair of a row and an expert, on its own.
  private final class RowSteps implements KernelPool.Region {
    private static final int SERIAL_ELEMENTS = 32 << 10;
    private static final int PARTS_PER_THREAD = 4;

    /// Elements of a result that take as long as to rank an expert.
    private static final int RANK_ELEMENTS = 16;

    private enum Step {
      CHOOSE,
      COPY,
      ADD
    }

    private final KernelPool pool;
    private ExpertSelection[] selections = {};
    private HostBuffer logits = NOTHING;
    private @Nullable HostBuffer gates;
    private HostBuffer in = NOTHING;
    private HostBuffer out = NOTHING;
    private HostBuffer copies = NOTHING;
    private Step step = Step.ADD;
    private int from;
    private int end;
    private int share;

    RowSteps(KernelPool pool) {
      this.pool = pool;
    }

    void choose() {
      run(Step.CHOOSE, 0, groups.rowCount(), logits.columns() * RANK_ELEMENTS);
    }

    /// Copies the rows of some experts one after the other, with their factors.
    void copy(int first, int last, HostBuffer to) {
      copies = to;
      run(
          Step.COPY,
          groups.first(first),
          groups.first(last - 1) + groups.size(last - 1),
          in.columns());
    }

    void add() {
      run(Step.ADD, 0, groups.rowCount(), groups.choices() * out.columns());
    }

    private void run(Step next, int first, int last, int elements) {
      step = next;
      from = first;
      end = last;
      int count = last - first;
      boolean isSerial = (long) count * elements <= SERIAL_ELEMENTS;
      int parts = isSerial ? 1 : Math.min(count, pool.threads() * PARTS_PER_THREAD);
      share = (count + parts - 1) / parts;
      pool.run(this, (count + share - 1) / share);
    }

    @Override
    public void run(int part, int worker) {
      int first = from + part * share;
      for (int i = first; i < Math.min(end, first + share); i++) {
        switch (step) {
          case CHOOSE -> groups.choose(i, selections[worker], logits);
          case COPY -> copy(i);
          case ADD -> add(i);
        }
      }
    }

    private void copy(int slot) {
      int columns = in.columns();
      int at = groups.rows()[slot] * columns;
      int to = (slot - from) * columns;
      float factor = groups.inputFactor(slot);
      for (int c = 0; c < columns; c++) {
        copies.values()[to + c] = factor * in.values()[at + c];
      }
    }

    private void add(int row) {
      int columns = out.columns();
      int at = (groups.firstRow() + row) * columns;
      Arrays.fill(out.values(), at, at + columns, 0f);
      for (int rank = 0; rank < groups.choices(); rank++) {
        float factor = groups.outputFactor(row, rank);
        if (gates != null && rank == groups.choices() - 1) {
          factor = ScalarMath.sigmoid(gates.values()[groups.firstRow() + row]);
        }
        addTo(out.values(), at, results, groups.slot(row, rank) * columns, columns, factor);
      }
    }

    private static void addTo(
        float[] sum, int at, float[] part, int partAt, int count, float factor) {
      for (int i = 0; i < count; i++) {
        sum[at + i] += factor * part[partAt + i];
      }
    }
  }
}
