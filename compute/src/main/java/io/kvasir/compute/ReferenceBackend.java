package io.kvasir.compute;

import io.kvasir.kvcache.tier.HostStorage;
import io.kvasir.kvcache.tier.KvStorage;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The oracle: every operation as plain scalar f32 loops that read like their formulas, on one
/// thread.
///
/// Dot products accumulate in double, so the result is the exact one rounded once or nearly so;
/// fast backends are compared with this one and with the published models' logits.
public final class ReferenceBackend implements Backend {
  private final ReferenceAttention attention = new ReferenceAttention();

  /// A backend without state of its own beyond scratch memory.
  public ReferenceBackend() {}

  @Override
  public String name() {
    return "reference";
  }

  @Override
  public String description() {
    return "reference: scalar, one thread";
  }

  @Override
  public Buffer buffer(int rows, int columns) {
    return HostBuffer.allocate(rows, columns);
  }

  @Override
  public Weight weight(Tensor tensor) {
    return HostWeight.of(tensor);
  }

  @Override
  public KvStorage storage(long blockBytes, int blockCount) {
    return new HostStorage(blockBytes, blockCount);
  }

  @Override
  public void write(float[] values, Buffer target) {
    System.arraycopy(values, 0, values(target), 0, values.length);
  }

  @Override
  public void read(Buffer source, int row, float[] target, int offset) {
    System.arraycopy(values(source), row * source.columns(), target, offset, source.columns());
  }

  @Override
  public void embed(Weight table, int[] ids, int rows, Buffer out) {
    for (int r = 0; r < rows; r++) {
      tensor(table).decodeRow(ids[r], values(out), r * out.columns());
    }
  }

  @Override
  public void addEmbedding(Weight table, int[] ids, int rows, Buffer x) {
    float[] row = new float[table.columns()];
    for (int r = 0; r < rows; r++) {
      tensor(table).decodeRow(ids[r], row, 0);
      for (int i = 0; i < row.length; i++) {
        values(x)[r * x.columns() + i] += row[i];
      }
    }
  }

  @Override
  public void scale(Buffer x, int rows, float factor) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] *= factor;
    }
  }

  @Override
  public void scaleRows(Buffer x, int rows, float[] factors) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] *= factors[i / x.columns()];
    }
  }

  @Override
  public void clamp(Buffer x, int rows, float limit) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] = Math.clamp(values(x)[i], -limit, limit);
    }
  }

  @Override
  public void add(Buffer x, Buffer delta, int rows, float factor) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] += factor * values(delta)[i];
    }
  }

  @Override
  public void normalize(Norm norm, Buffer in, Buffer out, int rows) {
    int width = norm.width();
    float[] weight = norm.weight() == null ? new float[0] : values(norm.weight());
    float[] bias = norm.bias() == null ? new float[0] : values(norm.bias());
    for (int at = 0; at < rows * in.columns(); at += width) {
      double mean = norm.kind() == Norm.Kind.LAYER ? mean(values(in), at, width) : 0;
      double square = 0;
      for (int i = at; i < at + width; i++) {
        square += (values(in)[i] - mean) * (values(in)[i] - mean);
      }
      double factor = 1 / Math.sqrt(square / width + norm.epsilon());
      int column = at % in.columns();
      for (int i = 0; i < width; i++) {
        float y = (float) ((values(in)[at + i] - mean) * factor);
        y *= weight.length == 0 ? 1 : weight[(column + i) % weight.length];
        y += bias.length == 0 ? 0 : bias[(column + i) % bias.length];
        values(out)[at + i] = y;
      }
    }
  }

  private static double mean(float[] values, int from, int count) {
    double sum = 0;
    for (int i = from; i < from + count; i++) {
      sum += values[i];
    }
    return sum / count;
  }

  @Override
  public void linear(Linear linear, Buffer in, Buffer out, int rows) {
    float[] weight = new float[linear.inputs()];
    for (int o = 0; o < linear.outputs(); o++) {
      tensor(linear.weight()).decodeRow(o, weight, 0);
      float bias = linear.bias() == null ? 0 : values(linear.bias())[o];
      for (int r = 0; r < rows; r++) {
        values(out)[r * out.columns() + o] = dot(weight, values(in), r * in.columns()) + bias;
      }
    }
  }

  @Override
  public void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows) {
    float[] weight = new float[linear.inputs()];
    for (int h = 0; h < linear.weights().size(); h++) {
      int from = h * linear.inputStride() + linear.inputOffset();
      int to = h * linear.outputStride() + linear.outputOffset();
      for (int o = 0; o < linear.outputs(); o++) {
        tensor(linear.weights().get(h)).decodeRow(o, weight, 0);
        for (int r = 0; r < rows; r++) {
          values(out)[r * out.columns() + to + o] =
              dot(weight, values(in), r * in.columns() + from);
        }
      }
    }
  }

  private static float dot(float[] weight, float[] x, int offset) {
    double sum = 0;
    for (int i = 0; i < weight.length; i++) {
      sum += (double) weight[i] * x[offset + i];
    }
    return (float) sum;
  }

  @Override
  public void rope(Rope rope, int[] positions, Buffer x, int rows) {
    RopeTable table = rope.table();
    int pairs = table.pairs();
    int step = rope.interleaved() ? 2 : 1;
    int partner = rope.interleaved() ? 1 : pairs;
    for (int r = 0; r < rows; r++) {
      table.ensure(positions[r]);
      float[] page = table.pageOf(positions[r]);
      int angle = table.offset(positions[r]);
      for (int h = 0; h < rope.heads(); h++) {
        int head = r * x.columns() + h * rope.headDim() + rope.offset();
        for (int i = 0; i < pairs; i++) {
          float cos = page[angle + i];
          float sin = page[angle + pairs + i];
          float a = values(x)[head + i * step];
          float b = values(x)[head + i * step + partner];
          values(x)[head + i * step] = a * cos - b * sin;
          values(x)[head + i * step + partner] = b * cos + a * sin;
        }
      }
    }
  }

  @Override
  public void activate(
      Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows) {
    for (int i = 0; i < rows * gate.columns(); i++) {
      float g = values(gate)[i];
      values(out)[i] =
          up == null
              ? ScalarMath.activate(activation, g)
              : ScalarMath.gated(activation, g, values(up)[i]);
    }
  }

  @Override
  public void activate(Xielu f, Buffer x, int rows) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] = f.apply(values(x)[i]);
    }
  }

  @Override
  public void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows) {
    Buffer up = buffer(rows, ffn.innerSize());
    linear(ffn.up(), in, up, rows);
    if (ffn.gate() == null) {
      activate(ffn.activation(), up, null, up, rows);
    } else {
      Buffer gate = buffer(rows, ffn.innerSize());
      linear(ffn.gate(), in, gate, rows);
      activate(ffn.activation(), gate, up, up, rows);
    }
    linear(ffn.down(), up, out, rows);
  }

  @Override
  public void mixtureOfExperts(
      MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows) {
    int experts = moe.experts().size();
    HostBuffer logits = HostBuffer.allocate(rows, experts);
    linear(moe.router(), routerIn, logits, rows);
    ExpertSelection selection =
        new ExpertSelection(
            moe.routing(),
            vector(moe.routing().selectionBias()),
            vector(moe.routing().expertScale()),
            experts);
    HostBuffer row = HostBuffer.allocate(1, in.columns());
    HostBuffer part = HostBuffer.allocate(1, out.columns());
    HostBuffer sum = HostBuffer.allocate(1, out.columns());
    for (int r = 0; r < rows; r++) {
      System.arraycopy(values(in), r * in.columns(), row.values(), 0, in.columns());
      Arrays.fill(sum.values(), 0);
      selection.select(logits.values(), r * experts);
      for (int i = 0; i < selection.experts().length; i++) {
        FeedForward expert = moe.experts().get(selection.experts()[i]);
        float weight = selection.weights()[i];
        if (moe.routing().weighsInput()) {
          copyScaled(values(in), r * in.columns(), weight, row.values());
          feedForward(expert, row, part, 1);
          add(sum, part, 1, 1);
          copyScaled(values(in), r * in.columns(), 1, row.values());
        } else {
          feedForward(expert, row, part, 1);
          add(sum, part, 1, weight);
        }
      }
      if (moe.shared() != null) {
        feedForward(moe.shared(), row, part, 1);
        add(sum, part, 1, sharedFactor(moe, row));
      }
      System.arraycopy(sum.values(), 0, values(out), r * out.columns(), out.columns());
    }
  }

  private static void copyScaled(float[] from, int at, float factor, float[] to) {
    for (int i = 0; i < to.length; i++) {
      to[i] = factor * from[at + i];
    }
  }

  private float sharedFactor(MixtureOfExperts moe, Buffer row) {
    if (moe.sharedGate() == null) {
      return 1;
    }
    HostBuffer gate = HostBuffer.allocate(1, 1);
    linear(moe.sharedGate(), row, gate, 1);
    return ScalarMath.sigmoid(gate.values()[0]);
  }

  @Override
  public void softcap(Buffer x, int rows, float cap) {
    for (int i = 0; i < rows * x.columns(); i++) {
      values(x)[i] = ScalarMath.softcap(values(x)[i], cap);
    }
  }

  @Override
  public void gatherRows(Buffer in, int[] selected, int count, Buffer out) {
    for (int i = 0; i < count; i++) {
      System.arraycopy(
          values(in), selected[i] * in.columns(), values(out), i * out.columns(), in.columns());
    }
  }

  @Override
  public void copyColumns(Columns columns, Buffer in, Buffer out, int rows) {
    for (int r = 0; r < rows; r++) {
      for (int h = 0; h < columns.heads(); h++) {
        int from = r * in.columns() + columns.fromColumn() + h * columns.fromStride();
        int to = r * out.columns() + columns.toColumn() + h * columns.toStride();
        System.arraycopy(values(in), from, values(out), to, columns.count());
      }
    }
  }

  @Override
  public void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out) {
    if (k != null) {
      attention.store(batch, spec, values(k), v == null ? null : values(v));
    }
    float[] sinks = spec.sinks() == null ? null : values(spec.sinks());
    float[] slopes = spec.slopes() == null ? null : values(spec.slopes());
    attention.attend(batch, spec, values(q), sinks, slopes, values(out));
  }

  @Override
  public boolean skipsPages() {
    return true;
  }

  @Override
  public void close() {}

  private static float[] vector(@Nullable Buffer buffer) {
    return buffer == null ? new float[0] : values(buffer);
  }

  private static float[] values(Buffer buffer) {
    return ((HostBuffer) buffer).values();
  }

  private static Tensor tensor(Weight weight) {
    return ((HostWeight) weight).tensor();
  }
}
