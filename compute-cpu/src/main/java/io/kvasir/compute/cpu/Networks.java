package io.kvasir.compute.cpu;

import io.kvasir.compute.Buffer;
import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.HostBuffer;
import io.kvasir.compute.HostWeight;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import org.jspecify.annotations.Nullable;

/// Linear maps and feed-forward networks of rows: by the [io.kvasir.compute.MatrixProvider] that
/// has taken a matrix, one after the other, and by [Products] elsewhere, as many as there are in
/// one region.
final class Networks {
  private final Products products;
  private final Elementwise elementwise;
  private final ProductBatch batch = new ProductBatch();
  private float[] ups = {};
  private float[] gates = {};

  Networks(Products products, Elementwise elementwise) {
    this.products = products;
    this.elementwise = elementwise;
  }

  /// `out = W in + b`.
  ///
  /// @param isExact whether operands stay floats where others are rounded
  void linear(Linear linear, HostBuffer in, HostBuffer out, int rows, boolean isExact) {
    Product p = alone(linear, rows);
    p.isExact = isExact;
    p.from(in.values(), 0, in.columns());
    p.to(out.values(), 0, out.columns());
    multiply(linear);
  }

  /// A linear map for each head.
  void headLinear(HeadLinear linear, HostBuffer in, HostBuffer out, int rows) {
    batch.clear();
    for (int h = 0; h < linear.weights().size(); h++) {
      Weight weight = linear.weights().get(h);
      Product p = batch.add().product;
      set(p, weight, null, rows);
      p.from(in.values(), h * linear.inputStride() + linear.inputOffset(), in.columns());
      p.to(out.values(), h * linear.outputStride() + linear.outputOffset(), out.columns());
      if (weight instanceof ProvidedWeight provided) {
        ProvidedProducts.multiply(provided.packed(), p);
        batch.removeLast();
      }
    }
    products.multiply(batch);
  }

  /// `out = down(act(gate in) * up in)`, results one after the other from `outAt` on.
  void feedForward(FeedForward ffn, HostBuffer in, float[] out, int outAt, int rows) {
    reserve(Math.multiplyExact(rows, ffn.innerSize()));
    boolean hasProvided = isProvided(ffn.up()) || ffn.gate() != null && isProvided(ffn.gate());
    if (hasProvided) {
      innerApart(ffn, in, rows);
    } else {
      batch.clear();
      addInner(batch, ffn, rows, 0).from(in.values(), 0, in.columns());
      products.multiply(batch);
    }
    Product down = alone(ffn.down(), rows);
    down.from(ups, 0, ffn.innerSize());
    down.to(out, outAt, ffn.down().outputs());
    multiply(ffn.down());
  }

  /// The inner rows, one matrix after the other.
  private void innerApart(FeedForward ffn, HostBuffer in, int rows) {
    HostBuffer up = new HostBuffer(ups, rows, ffn.innerSize());
    linear(ffn.up(), in, up, rows, false);
    if (ffn.gate() == null) {
      elementwise.activate(ffn.activation(), up, null, up, rows);
    } else {
      HostBuffer gate = new HostBuffer(gates, rows, ffn.innerSize());
      linear(ffn.gate(), in, gate, rows, false);
      elementwise.activate(ffn.activation(), gate, up, up, rows);
    }
  }

  /// Adds the inner rows of a network to a batch, which go to [#inner] from `innerAt` on.
  ///
  /// @return the entry, whose rows of `x` are the caller's to name
  ProductBatch.Entry addInner(ProductBatch to, FeedForward ffn, int rows, int innerAt) {
    ProductBatch.Entry entry = to.add();
    set(entry.product, ffn.up(), rows);
    entry.product.to(ups, innerAt, ffn.innerSize());
    entry.activation = ffn.activation();
    if (ffn.gate() != null) {
      entry.isGated = true;
      set(entry.gate, ffn.gate(), rows);
      entry.gate.to(gates, innerAt, ffn.innerSize());
    }
    return entry;
  }

  /// Makes room for so many elements of inner rows; those before are lost.
  void reserve(int elements) {
    if (ups.length < elements) {
      ups = new float[elements];
      gates = new float[elements];
    }
  }

  /// Memory of inner rows.
  float[] inner() {
    return ups;
  }

  private Product alone(Linear linear, int rows) {
    batch.clear();
    Product p = batch.add().product;
    set(p, linear, rows);
    return p;
  }

  /// Multiplies the only product of the batch.
  private void multiply(Linear linear) {
    if (linear.weight() instanceof ProvidedWeight provided) {
      ProvidedProducts.multiply(provided.packed(), batch.get(0).product);
    } else {
      products.multiply(batch);
    }
  }

  /// Whether a provider has taken the matrix.
  static boolean isProvided(Linear linear) {
    return linear.weight() instanceof ProvidedWeight;
  }

  static Tensor tensorOf(Weight weight) {
    return weight instanceof ProvidedWeight provided
        ? provided.host().tensor()
        : ((HostWeight) weight).tensor();
  }

  /// Fills a product but for its rows of `x` and of results.
  static void set(Product p, Linear linear, int rows) {
    set(p, linear.weight(), linear.bias(), rows);
  }

  private static void set(Product p, Weight weight, @Nullable Buffer bias, int rows) {
    Tensor tensor = tensorOf(weight);
    p.weights = tensor.data();
    p.type = tensor.type();
    p.columns = weight.columns();
    p.outputs = weight.rows();
    p.rowBytes = tensor.type().bytes(weight.columns());
    p.rows = rows;
    p.isExact = false;
    p.bias = bias == null ? null : ((HostBuffer) bias).values();
  }
}
