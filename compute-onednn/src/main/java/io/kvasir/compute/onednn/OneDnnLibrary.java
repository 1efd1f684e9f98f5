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
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.NoSuchElementException;

/// The functions of oneDNN 3.x that the provider calls, bound once. Handles, pointers, sizes and
/// dimensions are all `long` here; every function of oneDNN's returns a status, 0 for success.
///
/// The library runs its own threads with OpenMP. They would spin for a while after each product, on
/// the cores that the backend's own kernels need next, so they are told to sleep instead
/// (`OMP_WAIT_POLICY`), before the OpenMP library reads its environment.
record OneDnnLibrary(
    Path file,
    MethodHandle engineCreate,
    MethodHandle streamCreate,
    MethodHandle streamWait,
    MethodHandle descriptorWithTag,
    MethodHandle descriptorSize,
    MethodHandle matmulDescriptor,
    MethodHandle reorderDescriptor,
    MethodHandle queryDescriptor,
    MethodHandle primitiveCreate,
    MethodHandle primitiveExecute,
    MethodHandle memoryCreate,
    MethodHandle memorySetData,
    MethodHandle effectiveIsa,
    MethodHandle setThreads) {

  /// The file, from the jar `org.bytedeco:dnnl:3.11-1.5.13:linux-x86_64`, and what it depends on.
  static final String NAME = "libdnnl.so.3";

  private static final String OPENMP = "libgomp.so.1";
  private static final String SHA_256 =
      "a8948803c5718bac623b664be77fb47e24328e8693997e96e02c4308b0ee826f";
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

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
      return new Loaded(bind(file, symbols, threads));
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

  @SuppressWarnings("restricted") // setenv of the C library.
  private static void sleepBetweenProducts() {
    Linker linker = Linker.nativeLinker();
    FunctionDescriptor type =
        FunctionDescriptor.of(INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, INT);
    MethodHandle setenv = linker.downcallHandle(linker.defaultLookup().findOrThrow("setenv"), type);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom("OMP_WAIT_POLICY");
      int ignored = (int) setenv.invokeExact(name, arena.allocateFrom("passive"), 0);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private static OneDnnLibrary bind(Path file, SymbolLookup symbols, SymbolLookup threads) {
    return new OneDnnLibrary(
        file,
        bind(symbols, "dnnl_engine_create", LONG, INT, LONG),
        bind(symbols, "dnnl_stream_create", LONG, LONG, INT),
        bind(symbols, "dnnl_stream_wait", LONG),
        bind(symbols, "dnnl_memory_desc_create_with_tag", LONG, INT, LONG, INT, INT),
        size(symbols, "dnnl_memory_desc_get_size"),
        bind(
            symbols, "dnnl_matmul_primitive_desc_create", LONG, LONG, LONG, LONG, LONG, LONG, LONG),
        bind(symbols, "dnnl_reorder_primitive_desc_create", LONG, LONG, LONG, LONG, LONG, LONG),
        query(symbols, "dnnl_primitive_desc_query_md"),
        bind(symbols, "dnnl_primitive_create", LONG, LONG),
        bind(symbols, "dnnl_primitive_execute", LONG, LONG, INT, LONG),
        bind(symbols, "dnnl_memory_create", LONG, LONG, LONG, LONG),
        bind(symbols, "dnnl_memory_set_data_handle", LONG, LONG),
        bind(symbols, "dnnl_get_effective_cpu_isa"),
        procedure(threads, "omp_set_num_threads"));
  }

  private static MethodHandle bind(SymbolLookup symbols, String name, MemoryLayout... arguments) {
    return handle(symbols, name, FunctionDescriptor.of(INT, arguments));
  }

  private static MethodHandle size(SymbolLookup symbols, String name) {
    return handle(symbols, name, FunctionDescriptor.of(LONG, LONG));
  }

  private static MethodHandle query(SymbolLookup symbols, String name) {
    return handle(symbols, name, FunctionDescriptor.of(LONG, LONG, INT, INT));
  }

  private static MethodHandle procedure(SymbolLookup symbols, String name) {
    return handle(symbols, name, FunctionDescriptor.ofVoid(INT));
  }

  @SuppressWarnings("restricted") // Calls the library.
  private static MethodHandle handle(SymbolLookup symbols, String name, FunctionDescriptor type) {
    return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), type);
  }
}
