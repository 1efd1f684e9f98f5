// A CUDA driver library without a GPU: memory is the host's, streams are empty, kernels run at once
// on the calling thread. `kernels.inc` is made by build.sh: the kernels' sources and their names.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "emulated.h"

EmulatedIndex emulated_thread, blockIdx, blockDim, gridDim;
alignas(64) char emulated_shared[1 << 20];

namespace {
constexpr size_t STACK = 256 << 10;

struct Fiber {
  void* stack;
  void* top;
  unsigned number;
  bool done;
};

std::vector<Fiber> fibers;
void* scheduler;
size_t running;
const std::function<void()>* entry;

extern "C" void emulated_switch(void** save, void* load);
asm(R"(
.text
.globl emulated_switch
emulated_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

void yield() {
  size_t me = running;
  emulated_switch(&fibers[me].top, scheduler);
  emulated_thread = {fibers[me].number, 0, 0};
}

extern "C" void emulated_start() {
  emulated_thread = {fibers[running].number, 0, 0};
  (*entry)();
  fibers[running].done = true;
  yield();
  abort();
}

// A barrier of some threads: who comes last lets all go on.
struct Barrier {
  int members = 0, arrived = 0;
  long generation = 0;
};
Barrier block;
std::vector<Barrier> warps;
std::vector<float> exchanged;

void wait(Barrier& b) {
  long mine = b.generation;
  if (++b.arrived >= b.members) {
    b.arrived = 0;
    b.generation++;
    return;
  }
  while (b.generation == mine) {
    yield();
  }
}

void leave(Barrier& b) {
  b.members--;
  if (b.members > 0 && b.arrived >= b.members) {
    b.arrived = 0;
    b.generation++;
  }
}

void run_block(unsigned threads) {
  block = {(int)threads, 0, 0};
  warps.assign((threads + 31) / 32, Barrier());
  exchanged.assign(threads, 0);
  while (fibers.size() < threads) {
    fibers.push_back({aligned_alloc(64, STACK), nullptr, 0, false});
  }
  for (unsigned t = 0; t < threads; t++) {
    warps[t / 32].members++;
    void** top = (void**)((char*)fibers[t].stack + STACK) - 2;
    *top = (void*)emulated_start;
    for (int i = 0; i < 6; i++) {
      *--top = nullptr;
    }
    fibers[t].top = top;
    fibers[t].number = t;
    fibers[t].done = false;
  }
  unsigned left = threads;
  while (left > 0) {
    for (unsigned t = 0; t < threads; t++) {
      if (!fibers[t].done) {
        running = t;
        emulated_switch(&scheduler, fibers[t].top);
        if (fibers[t].done) {
          left--;
          leave(block);
          leave(warps[t / 32]);
        }
      }
    }
  }
}

// A kernel with copies of its parameters.
template <class... A, size_t... I>
std::function<void()> bound(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
  auto values = std::make_tuple(*(std::remove_const_t<A>*)p[I]...);
  return [=] { kernel(std::get<I>(values)...); };
}

template <class... A>
std::function<void()> bound(void (*kernel)(A...), void** p) {
  return bound(kernel, p, std::index_sequence_for<A...>{});
}

struct Kernel {
  const char* name;
  std::function<void()> (*bind)(void**);
};
}  // namespace

void __syncthreads() {
  wait(block);
}

float __shfl_xor_sync(unsigned, float value, int mask) {
  unsigned me = threadIdx.x;
  exchanged[me] = value;
  wait(warps[me / 32]);
  float other = exchanged[me ^ mask];
  wait(warps[me / 32]);
  return other;
}

#include "kernels.inc"

namespace {
std::atomic<long> allocations, live;
std::atomic<long> failAt = -1, failFrom = -1, limit = -1;
std::atomic<int> mapCode;

// Whether the next thing that needs memory gets none.
bool lacks() {
  long number = allocations++;
  return number == failAt || (failFrom >= 0 && number >= failFrom);
}

// Bytes of the device's memory that are taken, and by what.
std::mutex taking;
std::unordered_map<void*, size_t> taken;
size_t takenBytes;

struct Launched {
  std::function<void()> kernel;
  EmulatedIndex grid;
  unsigned threads, shared;
};
using Graph = std::vector<Launched>;
Graph* captured;  // the graph that launches go to

// Kernels do nothing and memory stays as it is: to measure what the host does.
bool idle = getenv("EMULATED_CUDA_IDLE") != nullptr;

void run(const Launched& launched) {
  if (idle) return;
  entry = &launched.kernel;
  gridDim = launched.grid;
  blockDim = {launched.threads, 1, 1};
  for (unsigned z = 0; z < gridDim.z; z++) {
    for (unsigned y = 0; y < gridDim.y; y++) {
      for (unsigned x = 0; x < gridDim.x; x++) {
        blockIdx = {x, y, z};
        memset(emulated_shared, 0xff, launched.shared);
        run_block(launched.threads);
      }
    }
  }
}

// What a capture cannot hold: 900 is CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED.
int now() { return captured ? 900 : 0; }
}  // namespace

extern "C" {
// For tests: the allocation of this number, counted from now on, fails; -1 for none.
void emulated_fail_at(long n) { failAt = n; failFrom = -1; allocations = 0; }
// All allocations from this number on fail, until emulated_fail_at.
void emulated_fail_from(long n) { failFrom = n; failAt = -1; allocations = 0; }
// So many bytes of the device's memory can be taken from now on; -1 for as many as there are.
void emulated_limit(long bytes) { limit = bytes < 0 ? bytes : bytes + (long)takenBytes; }
// The result of asking for a tensor map.
void emulated_maps(long code) { mapCode = (int)code; }
long emulated_allocations() { return allocations; }
// Allocations that were not freed.
long emulated_live() { return live; }
void emulated_idle(long value) { idle = value != 0; }

int cuInit(unsigned) { return getenv("EMULATED_CUDA_INIT") ? atoi(getenv("EMULATED_CUDA_INIT")) : 0; }
int cuDriverGetVersion(int* v) {
  *v = getenv("EMULATED_CUDA_VERSION") ? atoi(getenv("EMULATED_CUDA_VERSION")) : 13000;
  return 0;
}
int cuDeviceGetCount(int* n) { *n = 1; return 0; }
int cuDeviceGet(int* d, int n) { *d = n; return 0; }
int cuDeviceGetName(char* name, int size, int) { snprintf(name, size, "emulated"); return 0; }
int cuDeviceGetAttribute(int* v, int a, int) { *v = a == 75 ? 8 : a == 16 ? 2 : 0; return 0; }
int cuDeviceTotalMem_v2(size_t* n, int) { *n = 4ull << 30; return 0; }
int cuDevicePrimaryCtxRetain(void** c, int) { *c = (void*)1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void*) { return 0; }
int cuGetErrorName(int e, const char** s) { *s = e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR"; return 0; }
int cuMemGetInfo_v2(size_t* f, size_t* t) { *f = 2ull << 30; *t = 4ull << 30; return 0; }
int cuMemAlloc_v2(void** p, size_t n) {
  if (lacks() || n > (idle ? 1ull << 40 : 3ull << 30)) return 2;
  std::lock_guard<std::mutex> lock(taking);
  if (limit >= 0 && takenBytes + n > (size_t)limit) return 2;
  live++;
  size_t room = (n + 4095) / 4096 * 4096;
  char* begin = (char*)mmap(nullptr, room + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(begin + 4096, room, PROT_READ | PROT_WRITE);
  *p = begin + 4096 + room - (n + 255) / 256 * 256;
  takenBytes += taken[*p] = n;
  if (!idle) memset(*p, 0xff, n);  // what nobody wrote reads as NaN
  return 0;
}
int cuMemFree_v2(void* p) {
  std::lock_guard<std::mutex> lock(taking);
  live--;
  takenBytes -= taken[p];
  char* begin = (char*)((uintptr_t)p & ~4095ull) - 4096;
  munmap(begin, (taken[p] + 4095) / 4096 * 4096 + 8192);
  taken.erase(p);
  return 0;
}
int cuMemHostAlloc(void** p, size_t n, unsigned) {
  if (lacks()) return 2;
  live++;
  *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096);
  return 0;
}
int cuMemFreeHost(void* p) { live--; free(p); return 0; }
int cuMemcpyHtoDAsync_v2(void* d, const void* s, size_t n, void*) { memcpy(d, s, n); return now(); }
int cuMemcpyDtoHAsync_v2(void* d, const void* s, size_t n, void*) {
  idle ? memset(d, 0, n) : memcpy(d, s, n);
  return now();
}
int cuMemcpyDtoDAsync_v2(void* d, const void* s, size_t n, void*) { memmove(d, s, n); return 0; }
int cuMemsetD8Async(void* d, unsigned char v, size_t n, void*) { if (!idle) memset(d, v, n); return 0; }
int cuStreamCreate(void** s, unsigned) { *s = (void*)1; return 0; }
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void*) { return now(); }
int cuStreamWaitEvent(void*, void*, unsigned) { return 0; }
int cuEventCreate(void** e, unsigned) {
  if (lacks()) return 2;
  live++;
  *e = (void*)1;
  return 0;
}
int cuEventRecord(void*, void*) { return 0; }
int cuEventSynchronize(void*) { return 0; }
int cuEventElapsedTime(float* t, void*, void*) { *t = 0; return 0; }
int cuEventDestroy_v2(void*) { live--; return 0; }
int cuModuleLoadData(void** m, const void*) { *m = (void*)1; return 0; }
int cuModuleGetFunction(void** f, void*, const char* name) {
  for (const auto& kernel : KERNELS) {
    if (!strcmp(kernel.name, name)) {
      *f = (void*)&kernel;
      return 0;
    }
  }
  return 500;
}
int cuModuleGetGlobal_v2(void**, size_t*, void*, const char*) { return 500; }
int cuLaunchKernelEx(void*, void*, void**, void**) { return 801; }
int cuModuleUnload(void*) { return 0; }
int cuTensorMapEncodeTiled(void*, int, unsigned, void*, const unsigned long long*,
                           const unsigned long long*, const unsigned*, const unsigned*, int, int, int,
                           int) {
  return mapCode;
}
int cuFuncSetAttribute(void*, int, int) { return 0; }
int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned, unsigned,
                   unsigned shared, void*, void** p, void**) {
  if (shared > sizeof emulated_shared || bx > 1024 || gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535) return 1;
  Launched launched = {((const Kernel*)f)->bind(p), {gx, gy, gz}, bx, shared};
  if (captured) {
    captured->push_back(launched);
  } else {
    run(launched);
  }
  return 0;
}
int cuStreamBeginCapture_v2(void*, int) { captured = new Graph(); return 0; }
int cuStreamEndCapture(void*, void** g) { *g = captured; captured = nullptr; return 0; }
int cuGraphInstantiateWithFlags(void** e, void* g, unsigned long long) {
  if (lacks()) return 2;
  live++;
  *e = new Graph(*(Graph*)g);
  return 0;
}
int cuGraphLaunch(void* e, void*) {
  for (const Launched& launched : *(Graph*)e) run(launched);
  return 0;
}
int cuGraphExecDestroy(void* e) { live--; delete (Graph*)e; return 0; }
int cuGraphDestroy(void* g) { delete (Graph*)g; return 0; }
}
