"""Times the vendor's products (through PyTorch) of the shapes that gemm_stream_test times."""
import torch


def timed(count, work):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        work()
        work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    times = []
    for _ in range(8):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record()
        graph.replay()
        b.record()
        torch.cuda.synchronize()
        times.append(a.elapsed_time(b) * 1e3)
    return sorted(times)[len(times) // 2] / count


def main():
    shapes = {"qkv": (6144, 4096), "o": (4096, 4096), "gate, up": (28672, 4096), "down": (4096, 14336)}
    weights = {n: [torch.randn(s, device="cuda", dtype=torch.bfloat16) for _ in range(6)] for n, s in shapes.items()}
    for rows in (8, 16, 32, 64, 128, 256):
        line = f"vendor rows {rows:3d}"
        total = 0
        for name, (outputs, columns) in shapes.items():
            x = torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16)
            us = timed(6, lambda: [torch.nn.functional.linear(x, w) for w in weights[name]])
            total += us
            line += f"  {name} {us:.1f} us {outputs * columns * 2 / us * 1e-3:.0f} GB/s"
        print(line + f"  four {total:.1f} us", flush=True)


main()
