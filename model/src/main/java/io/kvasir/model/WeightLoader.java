package io.kvasir.model;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.model.file.ModelFormatException;
import java.lang.foreign.Arena;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/// Turns tensors into what the backend computes with: checks shapes, joins weights with their
/// biases, and rearranges the few that a family stores in another order. All others are used where
/// they lie.
final class WeightLoader {
  private final Backend backend;
  private final RoleTensors tensors;
  private final Family.Files files;
  private final boolean gguf;
  private final Arena arena;
  private final Norm.Kind normKind;
  private final float normEpsilon;
  private final boolean plainNorms;

  /// @param arena memory for rearranged weights; lives as long as the model
  WeightLoader(
      Backend backend, RoleTensors tensors, ModelSource source, ModelConfig config, Arena arena) {
    this.backend = backend;
    this.tensors = tensors;
    this.files = source.family().files();
    this.gguf = source.isGguf();
    this.arena = arena;
    this.normKind = config.normKind();
    this.normEpsilon = config.normEpsilon();
    this.plainNorms = config.plainNorms();
  }

  /// Whether rows of fused gate-up weights alternate in this model's files.
  boolean interleavesGateUp() {
    return !gguf && files.interleavedGateUp();
  }

  RoleTensors tensors() {
    return tensors;
  }

  /// The matrix of a role, `[rows, columns]`; a dimension of -1 is not checked.
  Tensor matrix(String role, long rows, long columns) {
    Tensor tensor = tensors.required(role + ".weight");
    return checked(orient(role, tensor), rows, columns);
  }

  @Nullable Tensor optionalMatrix(String role) {
    Tensor tensor = tensors.optional(role + ".weight");
    return tensor == null ? null : orient(role, tensor);
  }

  Linear linear(String role, long outputs, long inputs) {
    return linear(matrix(role, outputs, inputs), bias(role));
  }

  Linear linear(Tensor matrix, @Nullable Tensor bias) {
    return new Linear(backend.weight(matrix), bias == null ? null : vector(bias.toFloats()));
  }

  Weight weight(Tensor tensor) {
    return backend.weight(tensor);
  }

  @Nullable Tensor bias(String role) {
    return tensors.optional(role + ".bias");
  }

  Buffer vector(float[] values) {
    Buffer buffer = backend.buffer(1, values.length);
    backend.write(values, buffer);
    return buffer;
  }

  @Nullable Buffer optionalVector(String role) {
    Tensor tensor = tensors.optional(role);
    return tensor == null ? null : vector(tensor.toFloats());
  }

  /// The norm of a role over groups of `width` elements, or null where the model has none.
  @Nullable Norm optionalNorm(String role, int width) {
    Tensor weight = tensors.optional(role + ".weight");
    if (weight == null) {
      return null;
    }
    if (weight.elements() % width != 0) {
      throw new ModelFormatException(
          "%s does not fit groups of %d elements".formatted(weight, width));
    }
    float[] factors = weight.toFloats();
    if (!gguf) {
      for (int i = 0; i < factors.length; i++) {
        factors[i] += files.normOffset();
      }
    }
    return new Norm(normKind, vector(factors), optionalVector(role + ".bias"), normEpsilon, width);
  }

  /// The norm of heads whose weights the file keeps in a vector each, `role.0` and so on.
  Norm joinedNorm(String role, int heads, int width) {
    float[] factors = new float[heads * width];
    for (int h = 0; h < heads; h++) {
      Tensor part = tensors.required(role + "." + h + ".weight");
      if (part.elements() != width) {
        throw new ModelFormatException("%s does not fit a head of %d".formatted(part, width));
      }
      System.arraycopy(part.toFloats(), 0, factors, h * width, width);
    }
    return new Norm(normKind, vector(factors), null, normEpsilon, width);
  }

  /// The norm of a whole row, which some models have without weights.
  @Nullable Norm rowNorm(String role, int width) {
    Norm norm = optionalNorm(role, width);
    return norm == null && plainNorms ? new Norm(normKind, null, null, normEpsilon, width) : norm;
  }

  Norm norm(String role, int width) {
    Norm norm = optionalNorm(role, width);
    if (norm == null) {
      tensors.required(role + ".weight");
      throw new IllegalStateException(role);
    }
    return norm;
  }

  static Tensor checked(Tensor tensor, long rows, long columns) {
    if (rows >= 0 && tensor.rows() != rows || columns >= 0 && tensor.columns() != columns) {
      throw new ModelFormatException(
          "%s should be [%s, %s] by the model's configuration"
              .formatted(tensor, rows < 0 ? "any" : rows, columns < 0 ? "any" : columns));
    }
    return tensor;
  }

  private Tensor orient(String role, Tensor tensor) {
    int lastDot = role.lastIndexOf('.');
    boolean stored = !gguf && files.transposed().contains(role.substring(lastDot + 1));
    // Block formats are only ever stored by output row.
    return stored && tensor.type().blockElements() == 1 ? transposed(tensor) : tensor;
  }

  /// `[..., a, b]` to `[..., b, a]`, element by element.
  Tensor transposed(Tensor tensor) {
    return TensorOrder.transposed(tensor, arena);
  }

  /// A copy whose row `i` is row `source(i)` of the original.
  Tensor rearranged(Tensor tensor, int rows, IntUnaryOperator source) {
    return TensorOrder.rearranged(tensor, rows, source, arena);
  }

  /// A copy of a vector, rearranged likewise.
  Tensor rearrangedVector(Tensor vector, int size, IntUnaryOperator source) {
    Tensor column = vector.reshape(vector.elements(), 1);
    return rearranged(column, size, source).reshape(size);
  }

  /// A new f32 matrix.
  Tensor floats(String name, float[] values, long... shape) {
    return TensorOrder.floats(name, values, arena, shape);
  }
}
