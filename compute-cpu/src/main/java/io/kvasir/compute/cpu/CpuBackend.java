package io.kvasir.compute.cpu;

import io.kvasir.compute.Activation;
import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.Rope;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.kvcache.tier.KvStorage;
import org.jspecify.annotations.Nullable;

/// The processor as a backend: activations on the Java heap, weights used where their file is
/// mapped, cache blocks in native memory.
public final class CpuBackend implements Backend {
  private final ReferenceBackend scalar = new ReferenceBackend();
  private final int threads;

  /// @param threads threads that compute, the caller's included
  /// @throws IllegalArgumentException where that is less than one
  public CpuBackend(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("a backend needs at least one thread: " + threads);
    }
    this.threads = threads;
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "cpu: " + threads + " threads";
  }

  @Override
  public Buffer buffer(int rows, int columns) {
    return scalar.buffer(rows, columns);
  }

  @Override
  public Weight weight(Tensor tensor) {
    return scalar.weight(tensor);
  }

  @Override
  public KvStorage storage(long blockBytes, int blockCount) {
    return scalar.storage(blockBytes, blockCount);
  }

  @Override
  public void write(float[] values, Buffer target) {
    scalar.write(values, target);
  }

  @Override
  public void read(Buffer source, int row, float[] target, int offset) {
    scalar.read(source, row, target, offset);
  }

  @Override
  public void embed(Weight table, int[] ids, int rows, Buffer out) {
    scalar.embed(table, ids, rows, out);
  }

  @Override
  public void addEmbedding(Weight table, int[] ids, int rows, Buffer x) {
    scalar.addEmbedding(table, ids, rows, x);
  }

  @Override
  public void scale(Buffer x, int rows, float factor) {
    scalar.scale(x, rows, factor);
  }

  @Override
  public void scaleRows(Buffer x, int rows, float[] factors) {
    scalar.scaleRows(x, rows, factors);
  }

  @Override
  public void add(Buffer x, Buffer delta, int rows, float factor) {
    scalar.add(x, delta, rows, factor);
  }

  @Override
  public void normalize(Norm norm, Buffer in, Buffer out, int rows) {
    scalar.normalize(norm, in, out, rows);
  }

  @Override
  public void linear(Linear linear, Buffer in, Buffer out, int rows) {
    scalar.linear(linear, in, out, rows);
  }

  @Override
  public void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows) {
    scalar.headLinear(linear, in, out, rows);
  }

  @Override
  public void rope(Rope rope, int[] positions, Buffer x, int rows) {
    scalar.rope(rope, positions, x, rows);
  }

  @Override
  public void activate(
      Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows) {
    scalar.activate(activation, gate, up, out, rows);
  }

  @Override
  public void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows) {
    scalar.feedForward(ffn, in, out, rows);
  }

  @Override
  public void mixtureOfExperts(
      MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows) {
    scalar.mixtureOfExperts(moe, routerIn, in, out, rows);
  }

  @Override
  public void softcap(Buffer x, int rows, float cap) {
    scalar.softcap(x, rows, cap);
  }

  @Override
  public void gatherRows(Buffer in, int[] selected, int count, Buffer out) {
    scalar.gatherRows(in, selected, count, out);
  }

  @Override
  public void copyColumns(Columns columns, Buffer in, Buffer out, int rows) {
    scalar.copyColumns(columns, in, out, rows);
  }

  @Override
  public void attend(
      AttentionMetadata batch,
      AttentionSpec spec,
      Buffer q,
      @Nullable Buffer k,
      @Nullable Buffer v,
      Buffer out) {
    scalar.attend(batch, spec, q, k, v, out);
  }

  @Override
  public void close() {
    scalar.close();
  }
}
