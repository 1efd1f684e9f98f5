package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.AttentionConfig.LatentConfig;
import io.kvasir.model.file.GgufPlan.Part;
import io.kvasir.model.file.GgufPlan.Piece;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.file.StoredWeight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The weights of a Hugging Face folder in GGUF's names, order and conventions:
///
/// - query and key rows of the Llama kind are reordered so that rotated pairs are neighbours,
/// - norm weights kept around 0 get the 1 that they lack,
/// - `[in, out]` matrices (GPT-2) become `[out, in]`, fused query-key-value rows lose their
///   grouping (Falcon, GPT-NeoX),
/// - experts are stacked `[experts, out, in]` with gate and upper projection apart,
/// - MLA's joint matrix is taken apart into `attn_k_b`, transposed per head, and `attn_v_b`.
final class GgufWeights {
  private static final Pattern SINGLE_EXPERT =
      Pattern.compile("(blk\\.\\d+\\.(?:ffn_\\w+_exps|attn_[qk]_norm))\\.(\\d+)\\.weight");
  private static final Pattern ROLE = Pattern.compile("(?:blk\\.(\\d+)\\.)?(.+)\\.(weight|bias)");

  private final Family family;
  private final ModelConfig model;
  private final boolean groupedQkv;
  private final Map<String, StoredWeight> roles = new LinkedHashMap<>();
  private final Map<String, Map<Integer, StoredWeight>> experts = new LinkedHashMap<>();
  private final List<Part> plan = new ArrayList<>();
  private final boolean twinNorms;

  /// @param tied whether the output matrix is the embedding
  /// @throws ModelFormatException where a weight is of no use to the family
  GgufWeights(
      Collection<StoredWeight> weights,
      Family family,
      ModelConfig model,
      boolean groupedQkv,
      boolean tied) {
    this.family = family;
    this.model = model;
    this.groupedQkv = groupedQkv;
    int layers = model.layers().size();
    for (StoredWeight weight : weights) {
      String role = TensorNames.role(weight.name(), family.files().names());
      if (role == null) {
        if (!RoleTensors.ignorableName(weight.name(), layers)) {
          throw RoleTensors.unexpected(weight.name());
        }
      } else if (!RoleTensors.ignorableRole(role, layers)
          && !(tied && role.equals("output.weight"))) {
        roles.put(role, weight);
      }
    }
    twinNorms = family.name().equals("falcon") && roles.containsKey("blk.0.ffn_norm.weight");
  }

  /// All weights of the file to write.
  List<Part> plan() {
    for (Map.Entry<String, StoredWeight> entry : roles.entrySet()) {
      Matcher expert = SINGLE_EXPERT.matcher(entry.getKey());
      if (expert.matches()) {
        experts
            .computeIfAbsent(expert.group(1), role -> new TreeMap<>())
            .put(Integer.valueOf(expert.group(2)), entry.getValue());
      } else {
        plan(entry.getKey(), entry.getValue());
      }
    }
    experts.forEach(this::stack);
    return plan;
  }

  private void plan(String role, StoredWeight weight) {
    Matcher parts = ROLE.matcher(role);
    if (!parts.matches()) {
      throw RoleTensors.unexpected(weight.name());
    }
    String stem = parts.group(2);
    int layer = parts.group(1) == null ? 0 : Integer.parseInt(parts.group(1));
    AttentionConfig attention = model.layers().get(layer).attention();
    boolean matrix = parts.group(3).equals("weight");
    switch (stem) {
      case "attn_q", "attn_k" -> projection(role, weight, attention);
      case "attn_qkv" -> fused(role, weight, attention);
      case "attn_kv_b" -> {
        if (GgufNames.keepsJointHeads(GgufNames.architecture(family))) {
          plain(role, stem, weight, matrix);
        } else {
          latent(role, weight, attention);
        }
      }
      case "ffn_gate_up_shexp" -> sharedHalves(role, weight);
      case "exp_probs_b" -> {
        long experts = Tensor.byteSize(role, TensorType.U8, weight.shape());
        add(role, weight, new long[] {experts}, (tensor, arena) -> tensor.reshape(experts));
      }
      case "ffn_gate_up_exps" -> halves(role, weight, matrix);
      case "ffn_gate_inp_shexp" -> {
        long inputs = Tensor.byteSize(role, TensorType.U8, weight.shape());
        add(role, weight, new long[] {inputs}, (tensor, arena) -> tensor.reshape(inputs));
      }
      default -> plain(role, stem, weight, matrix);
    }
  }

  private void plain(String role, String stem, StoredWeight weight, boolean matrix) {
    if (matrix && isStoredTransposed(stem, weight)) {
      add(role, weight, swapped(weight.shape()), TensorOrder::transposed);
    } else if (matrix && stem.contains("norm") && family.files().normOffset() != 0) {
      add(role, weight, weight.shape(), this::raised);
    } else {
      add(role, weight, weight.shape(), (tensor, arena) -> tensor);
    }
  }

  private boolean isStoredTransposed(String stem, StoredWeight weight) {
    return family.files().transposed().contains(stem) && weight.type().blockElements() == 1;
  }

  /// What becomes of an assembled tensor.
  private interface Change {
    Tensor apply(Tensor tensor, Arena arena);
  }

  /// Plans a weight that is made in one piece.
  private void add(String role, StoredWeight weight, long[] shape, Change change) {
    Piece piece = arena -> change.apply(weight.assembled(arena), arena);
    add(role, weight.type(), shape, weight.storedBytes(), List.of(piece));
  }

  private void add(
      String role, TensorType type, long[] shape, long storedBytes, List<Piece> pieces) {
    String name = GgufNames.name(role, family, twinNorms);
    plan.add(new Part(name, type, shape, storedBytes, pieces));
  }

  /// The shape with its last two dimensions swapped.
  private static long[] swapped(long[] shape) {
    long[] target = shape.clone();
    int last = shape.length - 1;
    target[last] = shape[last - 1];
    target[last - 1] = shape[last];
    return target;
  }

  private Tensor raised(Tensor tensor, Arena arena) {
    float[] values = tensor.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] += family.files().normOffset();
    }
    return TensorOrder.floats(tensor.name(), values, arena, tensor.shape());
  }

  /// A query or key projection, or its bias.
  private void projection(String role, StoredWeight weight, AttentionConfig attention) {
    int dim = attention.headDim();
    boolean reorder = reordersHeads(attention);
    reordered(role, weight, reorder ? row -> TensorOrder.neighbouring(row, dim) : null);
  }

  /// Whether rotated pairs become neighbours.
  private boolean reordersHeads(AttentionConfig attention) {
    Family.Files files = family.files();
    return files.ggufInterleavedRope() && !files.interleavedRope() && attention.latent() == null;
  }

  /// A fused query-key-value weight, or its bias, as the three that readers expect where rows are
  /// reordered.
  private void split(String role, StoredWeight weight, AttentionConfig attention) {
    int dim = attention.headDim();
    int q = attention.heads() * dim;
    int kv = attention.kvHeads() * dim;
    IntUnaryOperator order =
        groupedQkv ? TensorOrder.ungrouped(attention) : IntUnaryOperator.identity();
    String[] names = {"attn_q", "attn_k", "attn_v"};
    int[] first = {0, q, q + kv, q + 2 * kv};
    long[] shape = weight.shape();
    long columns = shape.length == 1 ? 1 : shape[1];
    for (int part = 0; part < names.length; part++) {
      int from = first[part];
      int rows = first[part + 1] - from;
      boolean rotated = part < 2;
      IntUnaryOperator source =
          row -> order.applyAsInt(from + (rotated ? TensorOrder.neighbouring(row, dim) : row));
      long[] target = shape.clone();
      target[0] = rows;
      long whole = q + 2L * kv;
      add(
          role.replace("attn_qkv", names[part]),
          weight,
          target.clone(),
          (tensor, arena) ->
              TensorOrder.rearranged(tensor.reshape(whole, columns), rows, source, arena)
                  .reshape(target));
    }
  }

  private void fused(String role, StoredWeight weight, AttentionConfig attention) {
    if (isStoredTransposed("attn_qkv", weight) && weight.shape().length == 2) {
      add(role, weight, swapped(weight.shape()), TensorOrder::transposed);
    } else if (reordersHeads(attention)) {
      split(role, weight, attention);
    } else {
      reordered(role, weight, groupedQkv ? TensorOrder.ungrouped(attention) : null);
    }
  }

  /// Rows, or elements of a vector, in another order; unchanged where `order` is null.
  private void reordered(String role, StoredWeight weight, @Nullable IntUnaryOperator order) {
    long[] shape = weight.shape();
    int rows = Math.toIntExact(shape[0]);
    long columns = shape.length == 1 ? 1 : shape[1];
    Change change =
        (tensor, arena) ->
            order == null
                ? tensor
                : TensorOrder.rearranged(tensor.reshape(rows, columns), rows, order, arena)
                    .reshape(shape);
    add(role, weight, shape, change);
  }

  /// MLA's `[H * (nope + valueDim), rank]`.
  private void latent(String role, StoredWeight weight, AttentionConfig attention) {
    LatentConfig latent = attention.latent();
    if (latent == null) {
      throw RoleTensors.unexpected(weight.name());
    }
    int heads = attention.heads();
    int rank = latent.rank();
    int nope = latent.nopeDim();
    int value = attention.valueDim();
    int perHead = nope + value;
    IntUnaryOperator keyRows = row -> row / nope * perHead + row % nope;
    IntUnaryOperator valueRows = row -> row / value * perHead + nope + row % value;
    add(
        role.replace("attn_kv_b", "attn_k_b"),
        weight,
        new long[] {heads, rank, nope},
        (tensor, arena) -> {
          Tensor keys = TensorOrder.rearranged(tensor, heads * nope, keyRows, arena);
          return TensorOrder.transposed(keys.reshape(heads, nope, rank), arena);
        });
    add(
        role.replace("attn_kv_b", "attn_v_b"),
        weight,
        new long[] {heads, value, rank},
        (tensor, arena) ->
            TensorOrder.rearranged(tensor, heads * value, valueRows, arena)
                .reshape(heads, value, rank));
  }

  /// The two projections of stacked experts that a file keeps in one tensor, or their biases.
  private void halves(String role, StoredWeight weight, boolean matrix) {
    boolean turned = matrix && isStoredTransposed("ffn_gate_up_exps", weight);
    long[] shape = turned ? swapped(weight.shape()) : weight.shape();
    int experts = Math.toIntExact(shape[0]);
    int inner = Math.toIntExact(shape[1] / 2);
    long columns = matrix ? shape[2] : 1;
    for (int half = 0; half < 2; half++) {
      int first = half * inner;
      IntUnaryOperator order =
          row -> row / inner * 2 * inner + rowOfHalf(first + row % inner, inner);
      shape[1] = inner;
      add(
          role.replace("ffn_gate_up_exps", half == 0 ? "ffn_gate_exps" : "ffn_up_exps"),
          weight,
          shape.clone(),
          (tensor, arena) -> {
            Tensor rows = turned ? TensorOrder.transposed(tensor, arena) : tensor;
            Tensor flat = rows.reshape(2L * experts * inner, columns);
            Tensor part = TensorOrder.rearranged(flat, experts * inner, order, arena);
            return matrix ? part.reshape(experts, inner, columns) : part.reshape(experts, inner);
          });
    }
  }

  /// The same of the network that all rows take.
  private void sharedHalves(String role, StoredWeight weight) {
    long[] shape = weight.shape();
    shape[0] /= 2;
    int inner = Math.toIntExact(shape[0]);
    for (int half = 0; half < 2; half++) {
      int first = half * inner;
      add(
          role.replace("gate_up", half == 0 ? "gate" : "up"),
          weight,
          shape.clone(),
          (tensor, arena) -> TensorOrder.rearranged(tensor, inner, row -> first + row, arena));
    }
  }

  private int rowOfHalf(int row, int inner) {
    return family.files().interleavedGateUp() ? TensorOrder.deinterleaved(row, inner) : row;
  }

  /// Experts, or norms of heads, that lie in a tensor each.
  private void stack(String role, Map<Integer, StoredWeight> numbered) {
    StoredWeight first = numbered.values().iterator().next();
    long[] one = first.shape();
    long[] shape = new long[one.length + 1];
    shape[0] = numbered.size();
    System.arraycopy(one, 0, shape, 1, one.length);
    List<Piece> pieces = new ArrayList<>();
    long bytes = 0;
    for (int e = 0; e < numbered.size(); e++) {
      StoredWeight expert = numbered.get(e);
      if (expert == null || !Arrays.equals(expert.shape(), one)) {
        throw new ModelFormatException(
            "expert %d of '%s' is missing or of another shape".formatted(e, role));
      }
      pieces.add(expert::assembled);
      bytes += expert.storedBytes();
    }
    add(role + ".weight", first.type(), shape, bytes, pieces);
  }
}
