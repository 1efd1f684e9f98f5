package io.kvasir.compute.cpu;

import java.util.Arrays;

/// Brings the rows of `x` of a batch of products into the order that kernels read, in one region.
///
/// Products with the same rows, one after the other, share what is packed.
final class Packing implements KernelPool.Region {
  private static final long SERIAL_FLOATS = 32 << 10;

  private final KernelPool pool;
  private Product[] products = {};
  private Packer[] packers = {};

  /// The number of the first tile of each product, and of the one behind the last.
  private int[] firstTiles = new int[1];

  private int count;
  private long floats;

  Packing(KernelPool pool) {
    this.pool = pool;
  }

  /// What packs rows of `x` for some kernels, into memory of its own.
  interface Packer {
    /// Forgets what was packed.
    void clear();

    /// Takes memory for the rows of a product and says where it starts: [Product#packedAt].
    long place(Product p);

    /// Makes sure that there is as much memory as was taken.
    void reserve();

    /// Pieces that threads pack independently.
    int tiles(Product p);

    /// Packs one of them.
    void tile(Product p, int tile, int worker);
  }

  void clear() {
    for (int i = 0; i < count; i++) {
      packers[i].clear();
    }
    count = 0;
    floats = 0;
  }

  /// Asks for the rows of a product.
  void add(Product p, Packer packer) {
    if (count > 0 && packers[count - 1].equals(packer) && products[count - 1].hasInputsOf(p)) {
      p.packedAt = products[count - 1].packedAt;
      return;
    }
    if (count == products.length) {
      int room = Math.max(4, 2 * count);
      products = Arrays.copyOf(products, room);
      packers = Arrays.copyOf(packers, room);
      firstTiles = Arrays.copyOf(firstTiles, room + 1);
    }
    products[count] = p;
    packers[count] = packer;
    firstTiles[count + 1] = firstTiles[count] + packer.tiles(p);
    p.packedAt = packer.place(p);
    floats += (long) p.rows * p.columns;
    count++;
  }

  /// Packs what was asked for.
  void run() {
    for (int i = 0; i < count; i++) {
      packers[i].reserve();
    }
    int tiles = firstTiles[count];
    if (floats > SERIAL_FLOATS) {
      pool.run(this, tiles);
    } else {
      for (int tile = 0; tile < tiles; tile++) {
        run(tile, 0);
      }
    }
  }

  @Override
  public void run(int part, int worker) {
    int low = 0;
    int high = count - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firstTiles[middle] <= part) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    packers[low].tile(products[low], part - firstTiles[low], worker);
  }
}
