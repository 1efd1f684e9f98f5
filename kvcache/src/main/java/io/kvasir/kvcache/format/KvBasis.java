package io.kvasir.kvcache.format;

import io.kvasir.kvcache.LayerKv;

/// The basis in which one layer's rows are stored: rotated or not, around a centre or not.
///
/// With `H` the rotation and `c = H mean` the centre, the cache holds `H k - c` and `H v`. A query
/// is rotated once, `q' = H q`; then `q . k = q' . (H k - c) + q' . c`, and the second term is the
/// same for all keys of a head. What attention sums over values is rotated back once. Exact rows of
/// a coded layer are stored in the same basis. Immutable.
public final class KvBasis {
  private final int keyRotation;
  private final int valueRotation;
  private final float[][] centres;

  private KvBasis(int keyRotation, int valueRotation, float[][] centres) {
    this.keyRotation = keyRotation;
    this.valueRotation = valueRotation;
    this.centres = centres;
  }

  /// The basis of a layer.
  ///
  /// @param layer its number among the layers that keep keys and values
  public static KvBasis of(LayerKv kv, KvProfile profile, int layer) {
    // A latent row is values and rotated key parts; a rotation across both could not be undone for
    // the values alone, and a centre would have to be added to the output.
    boolean latent = kv.valueDim() == 0;
    int keyRotation =
        !latent && kv.keyFormat().rowBasis().isRotated() ? Hadamard.block(kv.keyDim()) : 0;
    int valueRotation =
        !latent && kv.valueFormat().rowBasis().isRotated() ? Hadamard.block(kv.valueDim()) : 0;
    boolean centred = kv.keyFormat().rowBasis().isCentred() && !latent && layer < profile.layers();
    float[][] centres = new float[centred ? kv.kvHeads() : 0][];
    for (int head = 0; head < centres.length; head++) {
      centres[head] = profile.keyMean(layer, head, kv.keyDim());
      if (keyRotation > 1) {
        Hadamard.transform(centres[head], 0, kv.keyDim(), keyRotation);
      }
    }
    return new KvBasis(keyRotation, valueRotation, centres);
  }

  /// Elements of a block of the rotation of keys and queries; 0 or 1 for none.
  public int keyRotation() {
    return keyRotation;
  }

  /// Elements of a block of the rotation of values and outputs; 0 or 1 for none.
  public int valueRotation() {
    return valueRotation;
  }

  /// Whether keys are stored around a centre.
  public boolean isCentred() {
    return centres.length > 0;
  }

  /// Element `channel` of the rotated centre of a head; only where [#isCentred].
  public float centre(int head, int channel) {
    return centres[head][channel];
  }

  /// Brings the key row at `x[from]` into the basis, in place.
  public void enterKeys(float[] x, int from, int dim, int head) {
    if (keyRotation > 1) {
      Hadamard.transform(x, from, dim, keyRotation);
    }
    if (isCentred()) {
      float[] centre = centres[head];
      for (int i = 0; i < dim; i++) {
        x[from + i] -= centre[i];
      }
    }
  }

  /// Brings the query row at `x[from]` into the basis, in place.
  public void enterQuery(float[] x, int from, int dim) {
    if (keyRotation > 1) {
      Hadamard.transform(x, from, dim, keyRotation);
    }
  }

  /// Brings the value row, or a sum of values that leaves the basis, at `x[from]` across, in place.
  public void turnValues(float[] x, int from, int dim) {
    if (valueRotation > 1) {
      Hadamard.transform(x, from, dim, valueRotation);
    }
  }

  /// What the centre adds to the product of a rotated query with every key of the head.
  public float centreProduct(float[] query, int from, int dim, int head) {
    if (!isCentred()) {
      return 0;
    }
    float[] centre = centres[head];
    float sum = 0;
    for (int i = 0; i < dim; i++) {
      sum = Math.fma(query[from + i], centre[i], sum);
    }
    return sum;
  }
}
