package io.kvasir.model;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.DecodePass;
import io.kvasir.compute.Linear;
import io.kvasir.compute.Norm;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.Weight;
import io.kvasir.model.file.ModelFormatException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The one transformer: runs any [ModelConfig] with weights on a [Backend], over the paged cache.
///
/// A forward pass takes the new tokens of a batch of sequences, writes their keys and values to the
/// cache and leaves the last hidden rows here, from which [#logits] computes scores for the rows
/// that need them. Buffers are made once for `maxRows` rows; a pass allocates nothing.
///
/// Used by one thread at a time.
public final class Transformer {
  private final ModelConfig config;
  private final Backend backend;
  private final Workspace workspace;
  private final int logitRows;
  private final Weight tokenTable;
  private final @Nullable Norm embeddingNorm;
  private final @Nullable Weight positionTable;
  private final PerLayerInput.@Nullable Source perLayerSource;
  private final List<TransformerLayer> layers = new ArrayList<>();
  private final @Nullable Norm outputNorm;
  private final Linear output;
  private final Buffer x;
  private final Buffer selected;
  private final Buffer logits;
  private final float[] queryFactors;
  private final Decoding decoding = new Decoding();

  /// @throws io.kvasir.model.file.ModelFormatException where weights do not fit the configuration
  Transformer(
      ModelConfig config, WeightLoader loader, ModelSource source, Backend backend, Rows rows) {
    this.config = config;
    this.backend = backend;
    this.workspace = new Workspace(backend, rows.pass());
    this.logitRows = rows.logits();
    Tensor embedding = loader.matrix("token_embd", -1, config.width());
    tokenTable = loader.weight(embedding);
    embeddingNorm = loader.optionalNorm("token_embd_norm", config.width());
    Tensor positions = loader.optionalMatrix("position_embd");
    positionTable = positions == null ? null : loader.weight(shifted(positions));
    perLayerSource = PerLayerInput.Source.load(config, loader, workspace);
    for (int i = 0; i < config.layers().size(); i++) {
      LayerContext context = new LayerContext(i, config, workspace, source.isGguf());
      layers.add(new TransformerLayer(context, loader, source.groupedQkv()));
    }
    outputNorm = loader.rowNorm("output_norm", config.width());
    output = output(loader, source, embedding);
    loader.tensors().checkAllTaken(layers.size());
    x = workspace.buffer("x", config.width());
    selected = backend.buffer(logitRows, config.width());
    logits = backend.buffer(logitRows, output.outputs());
    queryFactors = config.queryScaling().beta() == 0 ? new float[0] : new float[rows.pass()];
  }

  /// Sizes of the buffers.
  ///
  /// @param pass most rows of one pass
  /// @param logits most rows of one [#logits] call
  public record Rows(int pass, int logits) {
    public Rows {
      if (pass < 1 || logits < 1) {
        throw new IllegalArgumentException("rows of a pass: " + pass + ", of logits: " + logits);
      }
    }
  }

  /// Receives the stream after the embedding (index 0), each layer but the last, and the final
  /// norm.
  @FunctionalInterface
  public interface HiddenStates {
    /// @param hidden `[rows, width]`, valid during the call
    void accept(int index, Buffer hidden, int rows);
  }

  private Tensor shifted(Tensor positions) {
    int offset = config.positionOffset();
    if (positions.rows() <= offset) {
      throw new ModelFormatException(
          "%s has no row for position 0, which is row %d".formatted(positions, offset));
    }
    return offset == 0 ? positions : positions.sliceRows(offset, positions.rows());
  }

  private static Linear output(WeightLoader loader, ModelSource source, Tensor embedding) {
    boolean tied = source.config().booleanOr("tie_word_embeddings", false);
    Tensor own = loader.optionalMatrix("output");
    Tensor matrix = own == null || tied ? embedding : own;
    return loader.linear(
        WeightLoader.checked(matrix, -1, embedding.columns()), loader.bias("output"));
  }

  public ModelConfig config() {
    return config;
  }

  /// Token ids are `0 .. vocabularySize - 1`.
  public int vocabularySize() {
    return Math.min(output.outputs(), tokenTable.rows());
  }

  public int maxRows() {
    return workspace.rows();
  }

  public int maxLogitRows() {
    return logitRows;
  }

  /// Runs the batch.
  ///
  /// @param tokens one id per row of the batch
  /// @param hidden receives intermediate rows, or null
  public void forward(AttentionMetadata batch, int[] tokens, @Nullable HiddenStates hidden) {
    check(batch, tokens);
    queryFactors(batch);
    compute(batch, tokens, batch.rows(), hidden);
  }

  /// Runs a batch of one row for each sequence, at most [#maxLogitRows], and computes the scores of
  /// the next token after each: what [#forward] and [#logits] give, in a way that a device can
  /// record and replay. Nobody observes it and no row leaves out pages.
  ///
  /// @param tokens one id per row of the batch
  /// @return `[rows, vocabulary]`, valid until the next call
  public Buffer decode(AttentionMetadata batch, int[] tokens) {
    if (batch.rows() > decoding.mostRows() || batch.rows() != batch.sequences()) {
      throw new IllegalArgumentException(
          "%d rows of %d sequences to decode, one each of %d at most"
              .formatted(batch.rows(), batch.sequences(), decoding.mostRows()));
    }
    check(batch, tokens);
    queryFactors(batch);
    decoding.run(batch, tokens);
    return logits;
  }

  /// The operations of a decoding step.
  private final class Decoding implements DecodePass {
    private int[] ids = {};
    private @Nullable AttentionMetadata batch;

    void run(AttentionMetadata next, int[] tokens) {
      if (ids.length == 0) {
        ids = new int[mostRows()];
      }
      System.arraycopy(tokens, 0, ids, 0, next.rows());
      batch = next;
      backend.decode(this, next, ids);
    }

    @Override
    public int mostRows() {
      return Math.min(maxRows(), logitRows);
    }

    @Override
    public void compute(int rows) {
      Transformer.this.compute(Objects.requireNonNull(batch), ids, rows, null);
      scores(x, rows);
    }

    @Override
    public float[] rowFactors() {
      return queryFactors;
    }
  }

  private void compute(
      AttentionMetadata batch, int[] tokens, int rows, @Nullable HiddenStates hidden) {
    Step step = new Step(backend, batch, rows, queryFactors);
    backend.embed(tokenTable, tokens, rows, x);
    if (config.embeddingScale() != 1) {
      backend.scale(x, rows, config.embeddingScale());
    }
    if (embeddingNorm != null) {
      backend.normalize(embeddingNorm, x, x, rows);
    }
    Buffer perLayer = perLayerSource == null ? null : perLayerSource.compute(step, tokens, x);
    if (positionTable != null) {
      backend.addEmbedding(positionTable, batch.positions(), rows, x);
    }
    for (int i = 0; i < layers.size(); i++) {
      if (hidden != null) {
        hidden.accept(i, x, rows);
      }
      layers.get(i).forward(step, x, perLayer);
    }
    if (outputNorm != null) {
      backend.normalize(outputNorm, x, x, rows);
    }
    if (hidden != null) {
      hidden.accept(layers.size(), x, rows);
    }
  }

  /// Scores of the next token after some rows of the last pass.
  ///
  /// @param rows row numbers of the batch; the first `count` are used
  /// @return `[count, vocabulary]`, valid until the next call
  public Buffer logits(int[] rows, int count) {
    if (count > logitRows) {
      throw new IllegalArgumentException(
          "scores of %d rows asked for, %d at most".formatted(count, logitRows));
    }
    backend.gatherRows(x, rows, count, selected);
    scores(selected, count);
    return logits;
  }

  private void scores(Buffer hidden, int count) {
    backend.linear(output, hidden, logits, count);
    if (config.logitScale() != 1) {
      backend.scale(logits, count, config.logitScale());
    }
    if (config.logitSoftcap() != 0) {
      backend.softcap(logits, count, config.logitSoftcap());
    }
  }

  private void check(AttentionMetadata batch, int[] tokens) {
    if (batch.rows() > maxRows()) {
      throw new IllegalArgumentException(
          "a pass of %d rows, %d at most".formatted(batch.rows(), maxRows()));
    }
    if (positionTable != null && batch.lastPosition() >= positionTable.rows()) {
      throw new IllegalArgumentException(
          "position %d is beyond the model's %d positions"
              .formatted(batch.lastPosition(), positionTable.rows()));
    }
    for (int row = 0; row < batch.rows(); row++) {
      if (tokens[row] < 0 || tokens[row] >= tokenTable.rows()) {
        throw new IllegalArgumentException(
            "token id %d is not in the vocabulary of %d".formatted(tokens[row], tokenTable.rows()));
      }
    }
  }

  private void queryFactors(AttentionMetadata batch) {
    for (int row = 0; row < Math.min(batch.rows(), queryFactors.length); row++) {
      queryFactors[row] = config.queryScaling().at(batch.positions()[row]);
    }
  }
}
