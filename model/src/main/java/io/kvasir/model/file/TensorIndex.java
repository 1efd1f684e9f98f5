package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Tensors by unique name, in file order.
final class TensorIndex {
  private final Map<String, Tensor> byName = LinkedHashMap.newLinkedHashMap(512);

  /// @throws ModelFormatException where the name is taken
  void add(Tensor tensor, String file) {
    if (byName.putIfAbsent(tensor.name(), tensor) != null) {
      throw new ModelFormatException(
          "%s is damaged: it has two tensors called '%s'"
              .formatted(file, Excerpt.of(tensor.name())));
    }
  }

  List<Tensor> all() {
    return Collections.unmodifiableList(new ArrayList<>(byName.values()));
  }

  int size() {
    return byName.size();
  }

  @Nullable Tensor find(String name) {
    return byName.get(name);
  }

  Tensor get(String name, String file) {
    Tensor tensor = byName.get(name);
    if (tensor == null) {
      throw new ModelFormatException(file + " has no tensor '" + name + "'");
    }
    return tensor;
  }
}
