package io.kvasir.model;

import io.kvasir.compute.Norm;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/// What sets a model family apart from Llama, as data. The defaults describe Llama itself; see
/// [Families] for the list and CONTRIBUTING for how to add one.
///
/// @param name Hugging Face's `model_type`
/// @param aliases other `model_type` values and the GGUF names of the same architecture
/// @param norm which normalization
/// @param parallel whether attention and feed-forward read the same input
/// @param files how the family's files differ from Llama's
/// @param adjust what else follows from the configuration
record Family(
    String name,
    List<String> aliases,
    Norm.Kind norm,
    boolean parallel,
    Files files,
    Consumer<ModelDraft> adjust) {

  /// How weights lie in files. All but the last parameter concern Hugging Face folders only: GGUF's
  /// converter has undone these differences.
  ///
  /// @param names role of module paths that mean something else here than in Llama
  /// @param normOffset added to norm weights (1 where they are kept around 0)
  /// @param groupedQkv whether a fused query-key-value weight lists, per kv head, its query heads,
  ///   key and value, rather than all query heads, all keys, all values
  /// @param transposed roles whose matrices are stored `[in, out]`
  /// @param interleavedGateUp whether rows of a fused gate-up weight alternate
  /// @param interleavedRope whether pairs of neighbours are rotated rather than halves
  /// @param ggufInterleavedRope the same for GGUF files, whose converter may have permuted the
  ///   weights
  record Files(
      Map<String, String> names,
      float normOffset,
      boolean groupedQkv,
      Set<String> transposed,
      boolean interleavedGateUp,
      boolean interleavedRope,
      boolean ggufInterleavedRope) {
    static final Files LIKE_LLAMA = new Files(Map.of(), 0, false, Set.of(), false, false, false);

    Files names(Map<String, String> value) {
      return new Files(
          value,
          normOffset,
          groupedQkv,
          transposed,
          interleavedGateUp,
          interleavedRope,
          ggufInterleavedRope);
    }

    Files normOffset(float value) {
      return new Files(
          names,
          value,
          groupedQkv,
          transposed,
          interleavedGateUp,
          interleavedRope,
          ggufInterleavedRope);
    }

    Files groupedQkv(boolean value) {
      return new Files(
          names,
          normOffset,
          value,
          transposed,
          interleavedGateUp,
          interleavedRope,
          ggufInterleavedRope);
    }

    Files transposed(Set<String> value, boolean gateUp) {
      return new Files(
          names, normOffset, groupedQkv, value, gateUp, interleavedRope, ggufInterleavedRope);
    }

    Files rope(boolean huggingFace, boolean gguf) {
      return new Files(
          names, normOffset, groupedQkv, transposed, interleavedGateUp, huggingFace, gguf);
    }
  }

  static Family family(String name, String... aliases) {
    return new Family(name, List.of(aliases), Norm.Kind.RMS, false, Files.LIKE_LLAMA, draft -> {});
  }

  boolean answersTo(String architecture) {
    return name.equals(architecture) || aliases.contains(architecture);
  }

  Family layerNorm() {
    return new Family(name, aliases, Norm.Kind.LAYER, parallel, files, adjust);
  }

  /// Norm weights are kept around 0.
  Family offsetNorm() {
    return files(files.normOffset(1));
  }

  Family interleaved() {
    return files(files.rope(true, true));
  }

  Family ggufInterleaved() {
    return files(files.rope(files.interleavedRope(), true));
  }

  Family groupedQkv() {
    return files(files.groupedQkv(true));
  }

  Family transposed(String... roles) {
    return files(files.transposed(Set.of(roles), files.interleavedGateUp()));
  }

  Family interleavedGateUp() {
    return files(files.transposed(files.transposed(), true));
  }

  Family named(Map<String, String> paths) {
    return files(files.names(paths));
  }

  private Family files(Files value) {
    return new Family(name, aliases, norm, parallel, value, adjust);
  }

  Family parallelBranches() {
    return new Family(name, aliases, norm, true, files, adjust);
  }

  Family with(Consumer<ModelDraft> change) {
    return new Family(name, aliases, norm, parallel, files, adjust.andThen(change));
  }
}
