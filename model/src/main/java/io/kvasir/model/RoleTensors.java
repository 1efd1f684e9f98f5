package io.kvasir.model;

import io.kvasir.compute.Tensor;
import io.kvasir.model.file.ModelFormatException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The tensors of a model by role, and which of them the loader has taken: a weight that nobody
/// takes means that the model is not what its configuration says, and is an error rather than a
/// wrong answer.
final class RoleTensors {
  /// Parts of larger models that a text model does without, and buffers that older files carry
  /// along.
  private static final Pattern IGNORED =
      Pattern.compile(
          ".*(rotary_(pos_)?emb\\.inv_freq|\\.masked_bias|attn\\.bias|attention\\.bias)$"
              + "|.*(vision|visual|audio|connector|multi_modal|mm_projector|\\bmtp(_layers)?\\b|nextn).*"
              + "|rope_(freqs|factors_long|factors_short)\\.weight"
              + "|.*\\.(rope_freqs|attn_rot_embd)\\.weight");

  private static final Pattern LAYER_ROLE = Pattern.compile("^blk\\.(\\d+)\\..*");
  private static final Pattern LAYER_NAME = Pattern.compile("(?:^|.*\\.)layers\\.(\\d+)\\..*");

  private final Map<String, Tensor> byRole = new HashMap<>();
  private final Set<String> unknown = new HashSet<>();
  private final Set<String> taken = new HashSet<>();

  private RoleTensors() {}

  /// The tensors of a Hugging Face folder, or of a GGUF file.
  static RoleTensors of(List<Tensor> tensors, Family family, boolean gguf) {
    RoleTensors roles = new RoleTensors();
    Set<String> twinNorms =
        gguf
            ? GgufNames.layersWithTwinNorms(tensors.stream().map(Tensor::name).toList())
            : Set.of();
    for (Tensor tensor : tensors) {
      String name = tensor.name();
      String role =
          gguf
              ? GgufNames.role(name, family, twinNorms)
              : TensorNames.role(name, family.files().names());
      if (role == null) {
        roles.unknown.add(name);
      } else {
        roles.byRole.put(role, tensor);
      }
    }
    return roles;
  }

  boolean has(String role) {
    return byRole.containsKey(role);
  }

  /// Takes the tensor of a role, or null where there is none.
  @Nullable Tensor optional(String role) {
    taken.add(role);
    return byRole.get(role);
  }

  /// Takes the tensor of a role.
  ///
  /// @throws ModelFormatException where the model has none
  Tensor required(String role) {
    Tensor tensor = optional(role);
    if (tensor == null) {
      throw new ModelFormatException(
          "the model has no weight for '%s'; the file is incomplete or of another architecture than it says"
              .formatted(role));
    }
    return tensor;
  }

  /// Declares a role of no use to the transformer.
  void ignore(String role) {
    taken.add(role);
  }

  /// @throws ModelFormatException where a weight of the first `layers` layers was not taken
  void checkAllTaken(int layers) {
    for (Map.Entry<String, Tensor> entry : byRole.entrySet()) {
      String role = entry.getKey();
      if (!taken.contains(role) && !ignorableRole(role, layers)) {
        throw unexpected(entry.getValue().name());
      }
    }
    for (String name : unknown) {
      if (!ignorableName(name, layers)) {
        throw unexpected(name);
      }
    }
  }

  /// Whether a model of `layers` layers does without the weight of this role.
  static boolean ignorableRole(String role, int layers) {
    return ignorable(role, LAYER_ROLE, layers);
  }

  /// Whether a model of `layers` layers does without a weight that has this Hugging Face name and
  /// no role.
  static boolean ignorableName(String name, int layers) {
    return ignorable(name, LAYER_NAME, layers);
  }

  private static boolean ignorable(String name, Pattern layerPattern, int layers) {
    Matcher layer = layerPattern.matcher(name);
    boolean beyond = layer.matches() && Integer.parseInt(layer.group(1)) >= layers;
    return beyond || IGNORED.matcher(name).matches();
  }

  static ModelFormatException unexpected(String name) {
    return new ModelFormatException(
        "the model has a weight '%s' that its architecture does not use; it may be of a newer variant that is not supported yet"
            .formatted(name));
  }
}
