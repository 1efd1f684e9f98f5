package io.kvasir.model;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import java.util.HashMap;
import java.util.Map;

/// The activation buffers of a transformer, made once. Layers run one after another, so those of
/// equal purpose and width share a buffer.
final class Workspace {
  private record Key(String purpose, int columns) {}

  private final Backend backend;
  private final int rows;
  private final Map<Key, Buffer> buffers = new HashMap<>();

  Workspace(Backend backend, int rows) {
    this.backend = backend;
    this.rows = rows;
  }

  int rows() {
    return rows;
  }

  Buffer buffer(String purpose, int columns) {
    return buffers.computeIfAbsent(new Key(purpose, columns), key -> backend.buffer(rows, columns));
  }
}
