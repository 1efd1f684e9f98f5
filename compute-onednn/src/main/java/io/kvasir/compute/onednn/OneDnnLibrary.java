package io.kvasir.compute.onednn;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.NoSuchElementException;

/// The functions of oneDNN 3.x that the provider calls, bound once. All arguments are `long`: in
/// the calling conventions of 64-bit processors a function reads as many low bytes of each as its
/// parameter has. Where nothing else is said a function returns a status, 0 for success.
///
/// The library runs its own threads with OpenMP. They would spin for a while after each product, on
/// the cores that the backend's own kernels need next, so they are told to sleep instead
/// (`OMP_WAIT_POLICY`), before the OpenMP library reads its environment.
record OneDnnLibrary(
    Call3 engineCreate,
    Call3 streamCreate,
    Call1 streamWait,
    Call5 descriptorWithTag,
    Size1 descriptorSize,
    Call7 matmulDescriptor,
    Call6 reorderDescriptor,
    Size3 queryDescriptor,
    Call2 primitiveCreate,
    Call4 primitiveExecute,
    Call4 memoryCreate,
    Call2 memorySetData,
    Call0 effectiveIsa,
    Call1 setThreads) {

  /// No argument.
  @FunctionalInterface
  public interface Call0 {
    int call();
  }

  /// One argument.
  @FunctionalInterface
  public interface Call1 {
    int call(long a);
  }

  /// Two arguments.
  @FunctionalInterface
  public interface Call2 {
    int call(long a, long b);
  }

  /// Three arguments.
  @FunctionalInterface
  public interface Call3 {
    int call(long a, long b, long c);
  }

  /// Four arguments.
  @FunctionalInterface
  public interface Call4 {
    int call(long a, long b, long c, long d);
  }

  /// Five arguments.
  @FunctionalInterface
  public interface Call5 {
    int call(long a, long b, long c, long d, long e);
  }

  /// Six arguments.
  @FunctionalInterface
  public interface Call6 {
    int call(long a, long b, long c, long d, long e, long f);
  }

  /// Seven arguments.
  @FunctionalInterface
  public interface Call7 {
    int call(long a, long b, long c, long d, long e, long f, long g);
  }

  /// One argument; returns a size.
  @FunctionalInterface
  public interface Size1 {
    long call(long a);
  }

  /// Three arguments; returns a pointer.
  @FunctionalInterface
  public interface Size3 {
    long call(long a, long b, long c);
  }

  /// The file, from the jar `org.bytedeco:dnnl:3.11-1.5.13:linux-x86_64`, and what it depends on.
  static final String NAME = "libdnnl.so.3";

  private static final String OPENMP = "libgomp.so.1";
  private static final String SHA_256 =
      "a8948803c5718bac623b664be77fb47e24328e8693997e96e02c4308b0ee826f";

  /// What came of loading the library.
  sealed interface Loading {}

  /// It is there.
  record Loaded(OneDnnLibrary library) implements Loading {}

  /// It is not, or is another one.
  ///
  /// @param reason one sentence
  record Missing(String reason) implements Loading {}

  /// Loads `libdnnl.so.3` and `libgomp.so.1` of a folder; they stay loaded as long as the program
  /// runs. The first is checked against the release that this was written for.
  @SuppressWarnings("restricted") // Loads native code that the user asked for, checked by its hash.
  static Loading load(Path folder) {
    Path file = folder.resolve(NAME);
    Path openMp = folder.resolve(OPENMP);
    for (Path needed : new Path[] {file, openMp}) {
      if (!Files.isReadable(needed)) {
        return new Missing("there is no " + needed + "; scripts/onednn.sh gets it");
      }
    }
    try {
      String sum = sha256(file);
      if (!sum.equals(SHA_256)) {
        return new Missing(
            "%s is not oneDNN 3.11 as it was published (SHA-256 %s); scripts/onednn.sh gets that"
                .formatted(file, sum));
      }
      sleepBetweenProducts();
      SymbolLookup threads = SymbolLookup.libraryLookup(openMp, Arena.global());
      SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
      return new Loaded(bind(symbols, threads));
    } catch (IOException | IllegalArgumentException | NoSuchElementException e) {
      return new Missing("%s could not be loaded: %s".formatted(file, e.getMessage()));
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[1 << 20];
      for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void sleepBetweenProducts() {
    Call3 setenv =
        bound(
            Linker.nativeLinker().defaultLookup(), "setenv", Call3.class, ValueLayout.JAVA_INT, 3);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom("OMP_WAIT_POLICY");
      int status = setenv.call(name.address(), arena.allocateFrom("passive").address(), 0);
      if (status != 0) {
        throw new IllegalArgumentException("no room in the environment");
      }
    }
  }

  private static OneDnnLibrary bind(SymbolLookup dnn, SymbolLookup threads) {
    ValueLayout status = ValueLayout.JAVA_INT;
    ValueLayout size = ValueLayout.JAVA_LONG;
    return new OneDnnLibrary(
        bound(dnn, "dnnl_engine_create", Call3.class, status, 3),
        bound(dnn, "dnnl_stream_create", Call3.class, status, 3),
        bound(dnn, "dnnl_stream_wait", Call1.class, status, 1),
        bound(dnn, "dnnl_memory_desc_create_with_tag", Call5.class, status, 5),
        bound(dnn, "dnnl_memory_desc_get_size", Size1.class, size, 1),
        bound(dnn, "dnnl_matmul_primitive_desc_create", Call7.class, status, 7),
        bound(dnn, "dnnl_reorder_primitive_desc_create", Call6.class, status, 6),
        bound(dnn, "dnnl_primitive_desc_query_md", Size3.class, size, 3),
        bound(dnn, "dnnl_primitive_create", Call2.class, status, 2),
        bound(dnn, "dnnl_primitive_execute", Call4.class, status, 4),
        bound(dnn, "dnnl_memory_create", Call4.class, status, 4),
        bound(dnn, "dnnl_memory_set_data_handle", Call2.class, status, 2),
        bound(dnn, "dnnl_get_effective_cpu_isa", Call0.class, status, 0),
        // Returns nothing; what is in the register is not looked at.
        bound(threads, "omp_set_num_threads", Call1.class, status, 1));
  }

  @SuppressWarnings("restricted") // The binding of the library's functions is this class's purpose.
  private static <T> T bound(
      SymbolLookup symbols, String name, Class<T> type, ValueLayout result, int arguments) {
    MemoryLayout[] layouts = new MemoryLayout[arguments];
    Arrays.fill(layouts, ValueLayout.JAVA_LONG);
    MethodHandle handle =
        Linker.nativeLinker()
            .downcallHandle(symbols.findOrThrow(name), FunctionDescriptor.of(result, layouts));
    return MethodHandleProxies.asInterfaceInstance(type, handle);
  }
}
