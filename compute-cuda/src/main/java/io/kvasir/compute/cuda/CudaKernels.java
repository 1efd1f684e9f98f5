package io.kvasir.compute.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The compiled kernels of the module's resources, loaded into a context.
///
/// A resource `NAME.fatbin` holds machine code for several GPUs and PTX; the driver picks what
/// fits. Resources that are for other GPUs only are passed over: [#has] tells.
final class CudaKernels implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(CudaKernels.class.getName());
  private static final int INVALID_VALUE = 1;
  private static final int NO_BINARY = 209;
  private static final int UNSUPPORTED_PTX = 222;
  private static final int NOT_FOUND = 500;

  /// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
  private static final int MAX_DYNAMIC_SHARED = 8;

  private final CudaContext context;
  private final List<Long> modules = new ArrayList<>();
  private final Map<String, Long> functions = new HashMap<>();

  CudaKernels(CudaContext context) {
    this.context = context;
  }

  /// Loads a resource.
  ///
  /// @return false where it has no code for this GPU
  /// @throws CudaException where the driver cannot load it
  boolean load(String resource) {
    byte[] image = read(resource);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(image.length + 1L, 64);
      MemorySegment.copy(image, 0, memory, ValueLayout.JAVA_BYTE, 0, image.length);
      MemorySegment handle = arena.allocate(8, 8);
      CudaDriver driver = context.driver();
      int code = driver.code().loadModule().call(handle.address(), memory.address());
      if (code == NO_BINARY || code == UNSUPPORTED_PTX) {
        return false;
      }
      context.check(code, "cuModuleLoadData of " + resource);
      modules.add(handle.get(ValueLayout.JAVA_LONG, 0));
      return true;
    }
  }

  private static byte[] read(String resource) {
    try (InputStream in = CudaKernels.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalStateException("the program lacks its GPU kernels " + resource);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the GPU kernels " + resource, e);
    }
  }

  /// Whether a loaded resource has this kernel.
  boolean has(String name) {
    return lookUp(name) != 0;
  }

  /// The kernel's handle.
  ///
  /// @throws IllegalStateException where no loaded resource has it
  long function(String name) {
    long function = lookUp(name);
    if (function == 0) {
      throw new IllegalStateException("there is no GPU kernel " + name);
    }
    return function;
  }

  private long lookUp(String name) {
    Long known = functions.get(name);
    if (known != null) {
      return known;
    }
    long found = 0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocateFrom(name);
      MemorySegment handle = arena.allocate(8, 8);
      for (int i = 0; i < modules.size() && found == 0; i++) {
        CudaDriver.Code code = context.driver().code();
        int result = code.function().call(handle.address(), modules.get(i), text.address());
        if (result != NOT_FOUND) {
          context.check(result, "cuModuleGetFunction of " + name);
          found = handle.get(ValueLayout.JAVA_LONG, 0);
        }
      }
    }
    functions.put(name, found);
    return found;
  }

  /// The dynamic shared memory that a kernel wants: its module's constant `NAME_shared`, 0 where
  /// there is none. Allows it to the kernel; -1 where this GPU has not so much.
  int sharedBytes(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocateFrom(name + "_shared");
      MemorySegment place = arena.allocate(16, 8);
      MemorySegment value = arena.allocate(8, 8);
      CudaDriver.Code code = context.driver().code();
      for (long module : modules) {
        int result =
            code.global().call(place.address(), place.address() + 8, module, text.address());
        if (result == 0) {
          long stream = context.computeStream();
          context.toHost(value, place.get(ValueLayout.JAVA_LONG, 0), 4, stream);
          context.synchronize(stream);
          int bytes = value.get(ValueLayout.JAVA_INT, 0);
          int allowed = code.functionAttribute().call(function(name), MAX_DYNAMIC_SHARED, bytes);
          if (allowed == INVALID_VALUE) {
            LOG.log(
                System.Logger.Level.INFO,
                "event=kernel_unfit kernel={0} shared_bytes={1}",
                name,
                bytes);
            return -1;
          }
          context.check(allowed, "cuFuncSetAttribute of " + name);
          return bytes;
        }
      }
      return 0;
    }
  }

  /// A kernel with the shared memory that it wants; null where no loaded resource has it or the GPU
  /// has less: then the general kernels do its work.
  @Nullable Sized find(String name) {
    int bytes = has(name) ? sharedBytes(name) : -1;
    return bytes < 0 ? null : new Sized(function(name), bytes);
  }

  /// A kernel.
  ///
  /// @param sharedBytes of dynamic shared memory to launch it with
  record Sized(long function, int sharedBytes) {}

  @Override
  public void close() {
    for (long module : modules) {
      context.check(context.driver().code().unloadModule().call(module), "cuModuleUnload");
    }
    modules.clear();
  }
}
