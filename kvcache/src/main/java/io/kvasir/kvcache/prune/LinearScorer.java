package io.kvasir.kvcache.prune;

import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/// A linear function per layer and kv head that guesses the logarithm of a row's [KvZipPruner]
/// score from the hidden state that its key is computed from: `w h + b`.
///
/// File, big-endian: magic `KVZP`, version 1, then layers, heads and width as ints, then for each
/// layer and head `width` weights and the constant as floats.
public final class LinearScorer {
  private static final int MAGIC = 0x4b565a50;
  private static final int VERSION = 1;
  private static final int HEADER_BYTES = 20;

  private final int width;
  private final float[][][] weights;

  /// @param width elements of a hidden state
  /// @param weights `[layer][head][width + 1]`, the constant last; owned by the scorer from now on
  public LinearScorer(int width, float[][][] weights) {
    this.width = width;
    this.weights = weights;
    for (float[][] layer : weights) {
      for (float[] head : layer) {
        if (head.length != width + 1 || layer.length != weights[0].length) {
          throw new IllegalArgumentException(
              "weights of %d values for hidden states of %d".formatted(head.length, width));
        }
      }
    }
  }

  public int layers() {
    return weights.length;
  }

  public int heads() {
    return weights.length == 0 ? 0 : weights[0].length;
  }

  public int width() {
    return width;
  }

  /// The score of the row with hidden state `hidden[from ..]`.
  public float score(int layer, int head, float[] hidden, int from) {
    float[] weight = weights[layer][head];
    float sum = weight[width];
    for (int i = 0; i < width; i++) {
      sum += weight[i] * hidden[from + i];
    }
    return sum;
  }

  public void write(Path file) throws IOException {
    try (OutputStream out = Files.newOutputStream(file);
        DataOutputStream data = new DataOutputStream(new BufferedOutputStream(out))) {
      for (int value : new int[] {MAGIC, VERSION, layers(), heads(), width}) {
        data.writeInt(value);
      }
      for (float[][] layer : weights) {
        for (float[] head : layer) {
          for (float value : head) {
            data.writeFloat(value);
          }
        }
      }
    }
  }

  /// Reads what [#write] wrote.
  ///
  /// @throws IOException where the file cannot be read or is no such file, in one sentence
  public static LinearScorer read(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    DataInputStream data = new DataInputStream(new ByteArrayInputStream(bytes));
    if (bytes.length < HEADER_BYTES || data.readInt() != MAGIC || data.readInt() != VERSION) {
      throw new IOException(file + " is no file of pruning weights that this version reads");
    }
    int layers = data.readInt();
    int heads = data.readInt();
    int width = data.readInt();
    long most = bytes.length;
    boolean possible = layers > 0 && heads > 0 && width > 0;
    possible = possible && layers <= most && heads <= most && width < most;
    if (!possible
        || (most - HEADER_BYTES) / 4 / layers / heads != width + 1
        || (long) layers * heads * (width + 1) * 4 != most - HEADER_BYTES) {
      throw new IOException(
          "%s is damaged: %d bytes for %d layers, %d heads, width %d"
              .formatted(file, bytes.length, layers, heads, width));
    }
    float[][][] weights = new float[layers][heads][width + 1];
    for (float[][] layer : weights) {
      for (float[] head : layer) {
        for (int i = 0; i <= width; i++) {
          head[i] = data.readFloat();
        }
      }
    }
    return new LinearScorer(width, weights);
  }
}
