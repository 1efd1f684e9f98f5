package io.kvasir.compute.cpu;

import io.kvasir.compute.Activation;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Xielu;
import org.jspecify.annotations.Nullable;

/// Operations that treat each row, or each element, on its own; many rows are spread over the pool.
final class Elementwise implements KernelPool.Region {
  /// Elements below which other threads are not worth waking.
  private static final int SERIAL_ELEMENTS = 32 << 10;

  private static final int PARTS_PER_THREAD = 4;
  private static final float[] NO_VALUES = {};
  private static final int[] NO_POSITIONS = {};
  private static final HostBuffer NOTHING = HostBuffer.allocate(1, 1);

  private enum Op {
    SCALE,
    SCALE_ROWS,
    ADD,
    NORMALIZE,
    ROTATE,
    ACTIVATE,
    SOFTCAP,
    CLAMP,
    XIELU
  }

  private final KernelPool pool;
  private final Workspace[] workspaces;

  // The operands of the operation that runs.
  private Op op = Op.SCALE;
  private int rows;
  private int step;
  private HostBuffer x = NOTHING;
  private @Nullable HostBuffer y;
  private HostBuffer out = NOTHING;
  private float factor;
  private float[] factors = NO_VALUES;
  private int[] positions = NO_POSITIONS;
  private @Nullable Norm norm;
  private @Nullable Rope rope;
  private @Nullable Xielu xielu;
  private Activation activation = Activation.SILU;

  Elementwise(KernelPool pool, Workspace[] workspaces) {
    this.pool = pool;
    this.workspaces = workspaces;
  }

  void scale(HostBuffer values, int count, float by) {
    x = values;
    factor = by;
    start(Op.SCALE, count);
  }

  void scaleRows(HostBuffer values, int count, float[] by) {
    x = values;
    factors = by;
    start(Op.SCALE_ROWS, count);
  }

  void add(HostBuffer values, HostBuffer delta, int count, float by) {
    x = values;
    y = delta;
    factor = by;
    start(Op.ADD, count);
  }

  void normalize(Norm by, HostBuffer in, HostBuffer result, int count) {
    norm = by;
    x = in;
    out = result;
    start(Op.NORMALIZE, count);
  }

  void rotate(Rope by, int[] rowPositions, HostBuffer values, int count) {
    rope = by;
    positions = rowPositions;
    x = values;
    start(Op.ROTATE, count);
  }

  void activate(
      Activation by, HostBuffer gate, @Nullable HostBuffer up, HostBuffer result, int count) {
    activation = by;
    x = gate;
    y = up;
    out = result;
    start(Op.ACTIVATE, count);
  }

  void activate(Xielu by, HostBuffer values, int count) {
    xielu = by;
    x = values;
    start(Op.XIELU, count);
  }

  void softcap(HostBuffer values, int count, float cap) {
    x = values;
    factor = cap;
    start(Op.SOFTCAP, count);
  }

  void clamp(HostBuffer values, int count, float limit) {
    x = values;
    factor = limit;
    start(Op.CLAMP, count);
  }

  private void start(Op next, int count) {
    op = next;
    rows = count;
    boolean serial = (long) count * x.columns() <= SERIAL_ELEMENTS;
    int parts = serial ? 1 : Math.min(count, pool.threads() * PARTS_PER_THREAD);
    step = Math.max(1, (count + parts - 1) / parts);
    pool.run(this, (count + step - 1) / step);
  }

  @Override
  public void run(int part, int worker) {
    int end = Math.min(rows, (part + 1) * step);
    for (int r = part * step; r < end; r++) {
      row(r, workspaces[worker]);
    }
  }

  private void row(int r, Workspace space) {
    int columns = x.columns();
    switch (op) {
      case SCALE -> scale(x.values(), r * columns, columns, factor);
      case SCALE_ROWS -> scale(x.values(), r * columns, columns, factors[r]);
      case ADD -> {
        if (y != null) {
          add(x.values(), r * columns, y.values(), columns, factor);
        }
      }
      case NORMALIZE -> {
        if (norm != null) {
          RowOps.normalize(norm, x, out, r, space.lanes);
        }
      }
      case ROTATE -> {
        if (rope != null) {
          RowOps.rotate(rope, x, r, positions[r]);
        }
      }
      case ACTIVATE -> activateRow(r, space);
      case SOFTCAP -> VectorMath.softcap(x.values(), r * columns, (r + 1) * columns, factor);
      case XIELU -> {
        if (xielu != null) {
          activate(x.values(), r * columns, columns, xielu);
        }
      }
      case CLAMP -> clamp(x.values(), r * columns, columns, factor);
    }
  }

  private static void scale(float[] x, int at, int count, float factor) {
    for (int i = at; i < at + count; i++) {
      x[i] *= factor;
    }
  }

  private static void activate(float[] x, int at, int count, Xielu f) {
    for (int i = at; i < at + count; i++) {
      x[i] = f.apply(x[i]);
    }
  }

  private static void clamp(float[] x, int at, int count, float limit) {
    for (int i = at; i < at + count; i++) {
      x[i] = Math.min(Math.max(x[i], -limit), limit);
    }
  }

  private static void add(float[] x, int at, float[] delta, int count, float factor) {
    for (int i = at; i < at + count; i++) {
      x[i] += factor * delta[i];
    }
  }

  private void activateRow(int r, Workspace space) {
    int columns = x.columns();
    for (int i = 0; i < columns; i += Workspace.STRIPE) {
      int count = Math.min(Workspace.STRIPE, columns - i);
      int at = r * columns + i;
      VectorMath.activate(activation, x.values(), at, count, space.stripe);
      if (y != null) {
        VectorMath.gate(activation, space.stripe, y.values(), at, count);
      }
      System.arraycopy(space.stripe, 0, out.values(), at, count);
    }
  }
}
