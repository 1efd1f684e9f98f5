package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The weights of a safetensors model with FP8 and MXFP4 ones put together from their codes and
/// scales ([StoredWeight] says into what and why). What needs no assembling is used in place.
///
/// A weight is assembled when first asked for and then kept, in native memory that this object owns
/// beside the mapped file. May be used by any number of threads at once.
public final class AssembledWeights implements TensorSource {
  private static final String WEIGHT = ".weight";
  private static final String MX_BLOCKS = "_blocks";
  private static final String MX_SCALES = "_scales";

  private final TensorSource stored;
  private final Map<String, StoredWeight> weights;
  private final Map<String, Tensor> assembled = new ConcurrentHashMap<>();
  private final Arena arena = Arena.ofShared();

  private AssembledWeights(TensorSource stored, Map<String, StoredWeight> weights) {
    this.stored = stored;
    this.weights = weights;
  }

  /// The assembled view of `stored`, which it closes in turn.
  ///
  /// @throws ModelFormatException where codes and scales do not belong together; `stored` stays
  ///   open
  public static AssembledWeights of(TensorSource stored) {
    Map<String, StoredWeight> weights = new LinkedHashMap<>();
    Set<String> parts = new HashSet<>();
    for (Tensor tensor : stored.tensors()) {
      StoredWeight weight = weight(tensor, stored, parts);
      weights.put(weight.name(), weight);
    }
    parts.forEach(weights::remove);
    return new AssembledWeights(stored, Collections.unmodifiableMap(weights));
  }

  /// The weight that `tensor` stands for; the names of its scales join `parts`.
  private static StoredWeight weight(Tensor tensor, TensorSource stored, Set<String> parts) {
    String name = tensor.name();
    if (tensor.type() == TensorType.F8_E4M3 || tensor.type() == TensorType.F8_E5M2) {
      if (name.endsWith(WEIGHT)) {
        // How to round activations for FP8 arithmetic, which is not done here.
        parts.add(name.substring(0, name.length() - WEIGHT.length()) + ".input_scale");
      }
      for (String suffix : List.of("_scale_inv", "_scale")) {
        Tensor scales = stored.find(name + suffix);
        if (scales != null) {
          parts.add(scales.name());
          return new StoredWeight.ScaledFloat8(tensor, WeightScales.of(tensor, scales));
        }
      }
      return new StoredWeight.ScaledFloat8(tensor, WeightScales.none());
    }
    if (tensor.type() == TensorType.U8 && name.endsWith(MX_BLOCKS)) {
      String whole = name.substring(0, name.length() - MX_BLOCKS.length());
      Tensor scales = stored.find(whole + MX_SCALES);
      if (scales != null && scales.type() == TensorType.U8 && stored.find(whole) == null) {
        parts.add(scales.name());
        return new StoredWeight.Microscaled(whole, tensor, scales);
      }
    }
    return new StoredWeight.Whole(tensor);
  }

  /// All weights, unassembled: for those who go through a model once, row by row.
  public Collection<StoredWeight> weights() {
    return weights.values();
  }

  /// All tensors; this assembles every one of them.
  @Override
  public List<Tensor> tensors() {
    List<Tensor> tensors = new ArrayList<>(weights.size());
    for (StoredWeight weight : weights.values()) {
      tensors.add(tensor(weight));
    }
    return Collections.unmodifiableList(tensors);
  }

  @Override
  public @Nullable Tensor find(String name) {
    StoredWeight weight = weights.get(name);
    return weight == null ? null : tensor(weight);
  }

  @Override
  public Tensor get(String name) {
    Tensor tensor = find(name);
    if (tensor == null) {
      throw new ModelFormatException(stored + " has no tensor '" + name + "'");
    }
    return tensor;
  }

  private Tensor tensor(StoredWeight weight) {
    if (weight instanceof StoredWeight.Whole(Tensor tensor)) {
      return tensor;
    }
    return assembled.computeIfAbsent(weight.name(), name -> assemble(weight));
  }

  private Tensor assemble(StoredWeight weight) {
    long bytes = Tensor.byteSize(weight.name(), weight.type(), weight.shape());
    MemorySegment target = arena.allocate(bytes, 64);
    weight.assemble(target);
    return new Tensor(weight.name(), weight.type(), weight.shape(), target);
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
    stored.close();
  }

  @Override
  public String toString() {
    return stored.toString();
  }
}
