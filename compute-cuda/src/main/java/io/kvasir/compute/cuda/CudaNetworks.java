package io.kvasir.compute.cuda;

import io.kvasir.compute.FeedForward;
import io.kvasir.compute.HeadLinear;
import io.kvasir.compute.Linear;
import io.kvasir.compute.MixtureOfExperts;
import io.kvasir.compute.cuda.CudaProducts.Rows;

/// The operations that read matrices of weights: products, feed-forward networks and mixtures.
final class CudaNetworks implements AutoCloseable {
  private final CudaElements elements;
  private final CudaProducts products;
  private final CudaExperts experts;
  private final DeviceArray innerUp;
  private final DeviceArray innerGate;

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
    experts = new CudaExperts(this, elements, context, staging);
    innerUp = new DeviceArray(context, staging, "inner rows of feed-forward networks");
    innerGate = new DeviceArray(context, staging, "gates of feed-forward networks");
  }

  void linear(Linear linear, CudaBuffer in, CudaBuffer out, int rows) {
    multiply(linear, rows(in, 0), rows(out, 0), rows);
  }

  private void multiply(Linear linear, Rows in, Rows out, int rows) {
    long bias = CudaBuffer.pointer(linear.bias());
    products.multiply(CudaWeight.of(linear.weight()), bias, in, out, rows);
  }

  private static Rows rows(CudaBuffer buffer, int column) {
    return new Rows(buffer.pointer() + 4L * column, buffer.columns());
  }

  void headLinear(HeadLinear linear, CudaBuffer in, CudaBuffer out, int rows) {
    for (int h = 0; h < linear.weights().size(); h++) {
      products.multiply(
          CudaWeight.of(linear.weights().get(h)),
          0,
          rows(in, h * linear.inputStride() + linear.inputOffset()),
          rows(out, h * linear.outputStride() + linear.outputOffset()),
          rows);
    }
  }

  void feedForward(FeedForward ffn, CudaBuffer in, CudaBuffer out, int rows) {
    int inner = ffn.innerSize();
    long size = (long) rows * inner;
    Rows up = new Rows(innerUp.room(4 * size), inner);
    multiply(ffn.up(), rows(in, 0), up, rows);
    Linear gate = ffn.gate();
    if (gate == null) {
      elements.activate(ffn.activation(), up.pointer(), 0, up.pointer(), size);
    } else {
      Rows gated = new Rows(innerGate.room(4 * size), inner);
      multiply(gate, rows(in, 0), gated, rows);
      elements.activate(ffn.activation(), gated.pointer(), up.pointer(), up.pointer(), size);
    }
    multiply(ffn.down(), up, rows(out, 0), rows);
  }

  void mix(MixtureOfExperts moe, CudaBuffer routerIn, CudaBuffer in, CudaBuffer out, int rows) {
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
