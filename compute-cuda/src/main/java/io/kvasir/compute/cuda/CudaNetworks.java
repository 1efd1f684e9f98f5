package io.kvasir.compute.cuda;

import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.Norm;
import io.kvasir.compute.cuda.CudaProducts.Rows;
import io.kvasir.compute.quant.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The operations that read matrices of weights: products, feed-forward networks and mixtures.
///
/// Products wait until something else is asked for, since one launch can compute several products
/// of the same rows, take their norm before and add their result to another matrix behind. Nothing
/// of it changes which buffers hold what when the next operation reads them.
final class CudaNetworks implements AutoCloseable {
  private final CudaElements elements;
  private final CudaProducts products;
  private final CudaExperts experts;
  private final DeviceArray innerUp;
  private final DeviceArray innerGate;
  private final List<Product> waiting = new ArrayList<>();
  private Rows input = new Rows(0, 0);
  private int inputRows;
  private @Nullable RowNorm norm;

  /// @param exact whether only the kernels that round to f32 are used
  CudaNetworks(
      CudaContext context,
      CudaKernels kernels,
      Staging staging,
      Launch launch,
      CudaElements elements,
      boolean exact) {
    this.elements = elements;
    products = new CudaProducts(context, kernels, staging, launch, exact);
    experts = new CudaExperts(this, elements, context, kernels, staging, launch, exact);
    innerUp = new DeviceArray(context, staging, "inner rows of feed-forward networks");
    innerGate = new DeviceArray(context, staging, "gates of feed-forward networks");
  }

  /// What takes products of 9 to 256 rows.
  StreamedRows streamed() {
    return products.streamed();
  }

  /// Queues what waits; first of all in every operation of other classes.
  void flush() {
    flush(null, 0);
  }

  private void flush(@Nullable Rows sums, float factor) {
    if (!waiting.isEmpty()) {
      RowNorm taken = takeNorm(waiting, input, inputRows);
      FewRows.Extras extras =
          taken == null && sums == null
              ? FewRows.Extras.NONE
              : new FewRows.Extras(taken, sums, factor);
      try {
        products.multiply(waiting, input, inputRows, extras);
      } finally {
        waiting.clear();
      }
    }
    flushNorm();
  }

  /// The norm that waits, where these products take it; queues it where they do not.
  private @Nullable RowNorm takeNorm(List<Product> of, Rows in, int rows) {
    RowNorm waits = norm;
    if (waits != null
        && waits.out().pointer() == in.pointer()
        && waits.rows() == rows
        && products.areFew(of, in, rows)
        && of.get(0).weight().type() == TensorType.BF16
        && !writes(of, waits.in())) {
      norm = null;
      return waits;
    }
    flushNorm();
    return null;
  }

  private static boolean writes(List<Product> products, CudaBuffer buffer) {
    for (Product product : products) {
      if (product.out().pointer() == buffer.pointer()) {
        return true;
      }
    }
    return false;
  }

  private void flushNorm() {
    RowNorm waits = norm;
    if (waits != null) {
      norm = null;
      elements.normalize(waits.norm(), waits.in(), waits.out(), waits.rows());
    }
  }

  /// Adds `factor delta` to `x` where `delta` is what the one product that waits is about to write,
  /// on its way.
  ///
  /// @return whether it did; else what waited is queued
  boolean add(CudaBuffer x, CudaBuffer delta, int rows, float factor) {
    if (waiting.size() == 1
        && waiting.get(0).out().pointer() == delta.pointer()
        && waiting.get(0).weight().rows() == x.columns()
        && delta.columns() == x.columns()
        && inputRows == rows
        && input.pointer() != x.pointer()
        && (norm == null || norm.in().pointer() != x.pointer())
        && products.areFew(waiting, input, rows)) {
      flush(rows(x, 0), factor);
      return true;
    }
    flush();
    return false;
  }

  /// Takes a norm of rows over, to do it with the product behind it or in the form that this reads
  /// best; with the addition to its rows that waits.
  void normalize(Norm of, CudaBuffer in, CudaBuffer out, int rows) {
    flush();
    RowNorm wanted = RowNorm.of(of, in, out, rows);
    if (wanted != null && products.wantsNorm(wanted)) {
      CudaElements.Addition addition = elements.takeAddition(in, rows);
      long delta = addition == null ? 0 : addition.delta().pointer();
      products.normalize(wanted, delta, addition == null ? 0 : addition.factor());
    } else if (wanted != null && products.takesNorm(wanted) && !elements.hasAddition()) {
      norm = wanted;
    } else {
      elements.normalize(of, in, out, rows);
    }
  }

  /// A product that may wait.
  void linear(Linear linear, CudaBuffer in, CudaBuffer out, int rows) {
    wait(product(linear, rows(out, 0)), rows(in, 0), rows);
  }

  private void wait(Product product, Rows in, int rows) {
    boolean joins =
        !waiting.isEmpty()
            && waiting.size() < FewRows.PARTS
            && in.equals(input)
            && rows == inputRows
            && product.out().pointer() != in.pointer()
            && product.joins(waiting.get(0));
    if (!joins && !waiting.isEmpty()) {
      flush();
    }
    waiting.add(product);
    input = in;
    inputRows = rows;
  }

  private static Product product(Linear linear, Rows out) {
    return new Product(CudaWeight.of(linear.weight()), CudaBuffer.pointer(linear.bias()), out);
  }

  private static Rows rows(CudaBuffer buffer, int column) {
    return new Rows(buffer.pointer() + 4L * column, buffer.columns());
  }

  void headLinear(HeadLinear linear, CudaBuffer in, CudaBuffer out, int rows) {
    flush();
    for (int h = 0; h < linear.weights().size(); h++) {
      Rows from = rows(in, h * linear.inputStride() + linear.inputOffset());
      Rows to = rows(out, h * linear.outputStride() + linear.outputOffset());
      Product product = new Product(CudaWeight.of(linear.weights().get(h)), 0, to);
      products.multiply(List.of(product), from, rows, FewRows.Extras.NONE);
    }
  }

  /// A network, whose last product may wait.
  void feedForward(FeedForward ffn, CudaBuffer in, CudaBuffer out, int rows) {
    if (!waiting.isEmpty()) {
      flush();
    }
    int inner = ffn.innerSize();
    long size = (long) rows * inner;
    Rows from = rows(in, 0);
    Linear gate = ffn.gate();
    Product down = product(ffn.down(), rows(out, 0));
    if (gate == null) {
      Rows up = new Rows(innerUp.room(4 * size), inner);
      wait(product(ffn.up(), up), from, rows);
      flush();
      elements.activate(ffn.activation(), up.pointer(), 0, up.pointer(), size);
      wait(down, up, rows);
      return;
    }
    Rows gated = new Rows(0, inner);
    List<Product> both = List.of(product(gate, gated), product(ffn.up(), gated));
    boolean joins = both.get(0).joins(both.get(1));
    if (joins && products.areFew(both, from, rows)) {
      gated = new Rows(innerGate.room(4 * size), inner);
      both = List.of(product(gate, gated), product(ffn.up(), gated));
      int activation = CudaElements.number(ffn.activation());
      products.gate(both, from, rows, activation, takeNorm(both, from, rows));
      wait(down, gated, rows);
      return;
    }
    flushNorm();
    if (joins && products.feedForward(both, ffn.activation(), down, from, rows)) {
      return;
    }
    gated = new Rows(innerGate.room(4 * size), inner);
    Rows up = new Rows(innerUp.room(4 * size), inner);
    wait(product(gate, gated), from, rows);
    wait(product(ffn.up(), up), from, rows);
    flush();
    elements.activate(ffn.activation(), gated.pointer(), up.pointer(), up.pointer(), size);
    wait(down, up, rows);
  }

  void mix(MixtureOfExperts moe, CudaBuffer routerIn, CudaBuffer in, CudaBuffer out, int rows) {
    flush();
    experts.mix(moe, routerIn, in, out, rows);
  }

  @Override
  public void close() {
    innerUp.close();
    innerGate.close();
    experts.close();
    products.close();
  }
}
