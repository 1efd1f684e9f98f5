package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.KvarnFormat;
import jdk.incubator.vector.FloatVector;

/// Tiles of [KvarnFormat]: codes are unpacked and become `(step code + minimum) factor`, with the
/// bits of the scalar codec.
///
/// Rows whose elements are no multiple of 16 are left to the codec.
final class KvarnTiles implements TileFormat {
  private static final int TILE = KvLayout.TILE_TOKENS;

  private final KvarnFormat format;
  private final CodecTiles scalar;
  private final CodeUnpacker unpacker;
  private final float[] ofTokens = new float[2 * TILE];
  private float[] steps = {};
  private float[] minima = {};
  private float[] factors = {};

  KvarnTiles(KvarnFormat format) {
    this.format = format;
    this.scalar = new CodecTiles(format);
    this.unpacker = new CodeUnpacker(format.codes(), 0);
  }

  private static boolean canUse(int dim) {
    return dim % TILE == 0;
  }

  private void room(int dim) {
    if (steps.length < dim) {
      steps = new float[dim];
      minima = new float[dim];
      factors = new float[dim];
    }
  }

  private static long tileHalves(TilePlace place) {
    int tiles = (place.blockTokens + KvarnFormat.TILE - 1) / KvarnFormat.TILE;
    return 2L * tiles * place.dim;
  }

  private long behindCodes(TilePlace place) {
    CodePlanes codes = format.codes();
    return place.plane + codes.bytes(place.blockTokens, place.dim);
  }

  @Override
  public void readKeys(TilePlace place) {
    if (!canUse(place.dim)) {
      scalar.readKeys(place);
      return;
    }
    int dim = place.dim;
    room(dim);
    unpacker.keys(place);
    long halves = tileHalves(place);
    for (int tile = 0; tile < place.tiles; tile++) {
      int slot = place.slot + tile * TILE;
      long at = behindCodes(place) + 2L * (slot / KvarnFormat.TILE) * dim;
      BlockDecoders.finiteF16(place.memory, at, steps, 0, dim);
      BlockDecoders.finiteF16(place.memory, at + halves, minima, 0, dim);
      long factorAt = behindCodes(place) + 2 * halves + 2L * slot;
      BlockDecoders.finiteF16(place.memory, factorAt, ofTokens, 0, TILE);
      for (int c = 0; c < dim; c++) {
        int from = place.at + tile * TILE * dim + c * TILE;
        for (int t = 0; t < TILE; t += L) {
          FloatVector.fromArray(F, place.numbers, from + t)
              .mul(steps[c])
              .add(minima[c])
              .mul(FloatVector.fromArray(F, ofTokens, t))
              .intoArray(place.numbers, from + t);
        }
      }
    }
  }

  @Override
  public void readValues(TilePlace place) {
    if (!canUse(place.dim)) {
      scalar.readValues(place);
      return;
    }
    int dim = place.dim;
    room(dim);
    unpacker.values(place);
    long lines = 2L * place.blockTokens;
    for (int tile = 0; tile < place.tiles; tile++) {
      int slot = place.slot + tile * TILE;
      long at = behindCodes(place) + 2L * slot;
      BlockDecoders.finiteF16(place.memory, at, ofTokens, 0, TILE);
      BlockDecoders.finiteF16(place.memory, at + lines, ofTokens, TILE, TILE);
      long factorAt = behindCodes(place) + 2 * lines + 2L * (slot / KvarnFormat.TILE) * dim;
      BlockDecoders.finiteF16(place.memory, factorAt, factors, 0, dim);
      for (int t = 0; t < TILE; t++) {
        int from = place.at + (tile * TILE + t) * dim;
        for (int c = 0; c < dim; c += L) {
          FloatVector.fromArray(F, place.numbers, from + c)
              .mul(ofTokens[t])
              .add(ofTokens[TILE + t])
              .mul(FloatVector.fromArray(F, factors, c))
              .intoArray(place.numbers, from + c);
        }
      }
    }
  }

  @Override
  public void readRows(TilePlace place) {
    // Latent rows have the steps of keys, one after the other.
    scalar.readRows(place);
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    scalar.write(place, source, from);
  }
}
