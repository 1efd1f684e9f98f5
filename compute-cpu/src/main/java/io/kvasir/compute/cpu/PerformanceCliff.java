package io.kvasir.compute.cpu;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.kvasir.compute.quant.TensorType;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The known ways to be much slower than the machine allows. Each is reported once per run of the
/// program, as a warning of `System.Logger`: a silent slow path is a defect.
enum PerformanceCliff {
  /// Vector code is only fast when the optimizing compiler (C2) makes it; with
  /// `-XX:TieredStopAtLevel=1` or `-Xint` it is slower than scalar code.
  NO_OPTIMIZING_COMPILER("the optimizing compiler is off; remove -XX:TieredStopAtLevel or -Xint"),
  /// Kernels that read weights in place need eight lanes.
  NARROW_VECTORS("vectors are narrower than 256 bits; weights are decoded before use"),
  /// Formats without a kernel of their own are decoded by scalar code before use.
  GENERIC_WEIGHTS("a weight format has no vector kernel and is decoded by scalar code"),
  /// Cache formats without tiles of their own are decoded by scalar code in every step.
  GENERIC_CACHE_FORMAT("a cache format has no vector kernel and is decoded by scalar code");

  private static final System.Logger LOG = System.getLogger("io.kvasir.compute.cpu");

  private static final Set<PerformanceCliff> REPORTED = ConcurrentHashMap.newKeySet();

  private final String message;

  PerformanceCliff(String message) {
    this.message = message;
  }

  /// Logs the cliff, the first time it is met.
  ///
  /// @return true where this call was the first
  boolean report(String detail) {
    if (!REPORTED.add(this)) {
      return false;
    }
    LOG.log(
        System.Logger.Level.WARNING,
        () -> "event=performance_cliff kind=%s detail=%s: %s".formatted(name(), detail, message));
    return true;
  }

  /// Looks at the virtual machine's settings.
  ///
  /// @return true where the optimizing compiler is off
  static boolean checkCompiler() {
    CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
    HotSpotDiagnosticMXBean machine =
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    String level = machine == null ? "4" : machine.getVMOption("TieredStopAtLevel").getValue();
    if (compiler != null && level.equals("4")) {
      return false;
    }
    NO_OPTIMIZING_COMPILER.report(compiler == null ? "-Xint" : "level " + level);
    return true;
  }

  static void checkVectors() {
    if (Lanes.L < 8) {
      NARROW_VECTORS.report(Lanes.bits() + " bits");
    }
  }

  /// Looks at a weight that is about to be used.
  static void checkWeight(TensorType type) {
    if (Lanes.L >= 8 && type.isQuantized() && !Kernels.isVectorized(type)) {
      GENERIC_WEIGHTS.report(type.name());
    }
  }
}
