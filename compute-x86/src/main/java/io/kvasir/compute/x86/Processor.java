package io.kvasir.compute.x86;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;

/// What the processor can do, as Linux tells in `/proc/cpuinfo`.
///
/// @param features names as the kernel writes them, such as `avx512f`; empty where this is no Linux
///   or no x86-64
record Processor(Set<String> features) {
  private static final Path LINUX = Path.of("/proc/cpuinfo");
  private static final Processor THIS = read(LINUX);

  Processor {
    features = Set.copyOf(features);
  }

  /// The processor that this program runs on.
  static Processor here() {
    return THIS;
  }

  /// Whether the kernels of [Instructions#AVX512] can run.
  boolean hasAvx512() {
    return features.containsAll(Set.of("lm", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"));
  }

  /// Whether the kernels of [Instructions#AVX2] can run.
  boolean hasAvx2() {
    return features.containsAll(Set.of("lm", "avx2", "fma", "f16c"));
  }

  /// Whether it multiplies bf16.
  boolean hasBf16() {
    return features.contains("avx512_bf16");
  }

  /// Whether it multiplies tiles of bf16.
  boolean hasAmx() {
    return hasBf16() && features.containsAll(Set.of("amx_tile", "amx_bf16"));
  }

  /// Reads the features of the first processor in a file such as `/proc/cpuinfo`.
  static Processor read(Path file) {
    try (BufferedReader lines = Files.newBufferedReader(file)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("flags")) {
          String[] names = line.substring(line.indexOf(':') + 1).strip().split(" +");
          return new Processor(Set.copyOf(Arrays.asList(names)));
        }
      }
    } catch (IOException e) {
      // Another operating system: no features are known.
    }
    return new Processor(Set.of());
  }
}
