package io.kvasir.engine;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.model.Transformer;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// Measures a [KvProfile]: the mean key of each layer and kv head over some varied text.
///
/// The text is read from position 0 on as one sequence, with an f32 cache, so that means are taken
/// over many positions: position encoding turns the offsets of keys with the position.
public final class Calibration {
  /// Tokens that are read.
  private static final int TOKENS = 2048;

  private static final int BLOCK_TOKENS = 64;
  private static final String TEXT = "calibration.txt";
  private static final long SEED = 20_260_131;

  private Calibration() {}

  /// Whether a cache of this layout takes anything from a profile.
  public static boolean isNeeded(KvLayout layout) {
    for (int layer = 0; layer < layout.layerCount(); layer++) {
      LayerKv kv = layout.kv(layer);
      if (kv.valueDim() > 0 && kv.keyFormat().rowBasis().isCentred()) {
        return true;
      }
    }
    return false;
  }

  /// Measures a model's profile with the built-in text.
  ///
  /// @param tokenizer makes tokens of the text; without one random tokens are read
  public static KvProfile measure(
      Transformer transformer, Backend backend, @Nullable Tokenizer tokenizer) {
    int count = Math.min(TOKENS, transformer.config().contextLength());
    return measure(transformer, backend, tokens(transformer.vocabularySize(), tokenizer, count));
  }

  /// Measures a model's profile over given tokens, which must fit its context.
  public static KvProfile measure(Transformer transformer, Backend backend, int[] tokens) {
    KvLayout layout = transformer.config().kvLayout(BLOCK_TOKENS, KvRecipe.of(KvFormat.F32));
    long blocks = layout.blocksFor(tokens.length, transformer.maxRows());
    KvCacheConfig config = KvCacheConfig.ofBytes(layout, blocks * layout.blockBytes());
    try (KvCache cache =
        new KvCache(config, backend.storage(layout.blockBytes(), config.blockCount()))) {
      AttentionMetadata batch = new AttentionMetadata(layout, cache.storage());
      KeyMeans means = new KeyMeans(backend, layout.layerCount());
      batch.observe((seen, spec, in, q, k, v) -> means.add(spec, k, seen.rows()));
      BlockTable table = cache.open();
      for (int from = 0; from < tokens.length; from += transformer.maxRows()) {
        int count = Math.min(transformer.maxRows(), tokens.length - from);
        if (cache.reserve(table, count) instanceof Reservation.Insufficient(int want, int free)) {
          throw new IllegalStateException(want + " blocks wanted, " + free + " free");
        }
        batch.clear();
        batch.add(table, count);
        transformer.forward(batch, Arrays.copyOfRange(tokens, from, from + count), null);
        cache.commit(table, count);
      }
      return means.profile();
    }
  }

  private static int[] tokens(int vocabulary, @Nullable Tokenizer tokenizer, int count) {
    int[] text = tokenizer == null ? new int[0] : tokenizer.encodeWithSpecials(text());
    int[] tokens = new int[count];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < count; i++) {
      int token = text.length == 0 ? vocabulary : text[i % text.length];
      tokens[i] = token < vocabulary ? token : random.nextInt(vocabulary);
    }
    return tokens;
  }

  /// The text that is read: stories, prose, chat, code and numbers. Other text than that with which
  /// formats are judged.
  public static String text() {
    try (InputStream in = Calibration.class.getResourceAsStream(TEXT)) {
      if (in == null) {
        throw new IllegalStateException("the text " + TEXT + " is missing in this build");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Sums of key rows by layer and head.
  private static final class KeyMeans {
    private final Backend backend;
    private final double[][][] sums;
    private final long[] counts;
    private float[] row = new float[0];

    KeyMeans(Backend backend, int layers) {
      this.backend = backend;
      sums = new double[layers][][];
      counts = new long[layers];
    }

    void add(AttentionSpec spec, @Nullable Buffer keys, int rows) {
      if (keys == null) {
        return;
      }
      int dim = spec.keyDim();
      int layer = spec.cacheLayer();
      if (sums[layer] == null) {
        sums[layer] = new double[spec.kvHeads()][dim];
      }
      row = row.length < keys.columns() ? new float[keys.columns()] : row;
      for (int r = 0; r < rows; r++) {
        backend.read(keys, r, row, 0);
        for (int head = 0; head < spec.kvHeads(); head++) {
          double[] sum = sums[layer][head];
          for (int i = 0; i < dim; i++) {
            sum[i] += row[head * dim + i];
          }
        }
      }
      counts[layer] += rows;
    }

    KvProfile profile() {
      float[][][] means = new float[sums.length][][];
      for (int layer = 0; layer < means.length; layer++) {
        double[][] heads = sums[layer] == null ? new double[0][] : sums[layer];
        means[layer] = new float[heads.length][];
        for (int head = 0; head < heads.length; head++) {
          means[layer][head] = new float[heads[head].length];
          for (int i = 0; i < heads[head].length; i++) {
            means[layer][head][i] = (float) (heads[head][i] / counts[layer]);
          }
        }
      }
      return ProfileFile.identified(means);
    }
  }
}
