package io.kvasir.compute;

import org.jspecify.annotations.Nullable;

/// The operations a transformer is made of, on the first `rows` rows of buffers.
///
/// A row of a result never depends on another row, nor on how many there are: the same row gives
/// the same bits alone and in a batch. Inputs and outputs are distinct buffers unless said
/// otherwise.
public interface Ops {

  /// `out[r] = table[ids[r]]`.
  void embed(Weight table, int[] ids, int rows, Buffer out);

  /// `x[r] += table[ids[r]]`, for learned positions.
  void addEmbedding(Weight table, int[] ids, int rows, Buffer x);

  /// `x *= factor`.
  void scale(Buffer x, int rows, float factor);

  /// `x[r] *= factors[r]`.
  void scaleRows(Buffer x, int rows, float[] factors);

  /// `x = min(max(x, -limit), limit)`.
  void clamp(Buffer x, int rows, float limit);

  /// `x += factor * delta`.
  void add(Buffer x, Buffer delta, int rows, float factor);

  /// `out = norm(in)`; `in` and `out` may be the same buffer.
  void normalize(Norm norm, Buffer in, Buffer out, int rows);

  /// `out[r] = W in[r] + b`.
  void linear(Linear linear, Buffer in, Buffer out, int rows);

  /// `out[r, h] = W_h in[r, h]` for each head.
  void headLinear(HeadLinear linear, Buffer in, Buffer out, int rows);

  /// Rotates `x` in place by the rows' positions.
  void rope(Rope rope, int[] positions, Buffer x, int rows);

  /// `out = act(gate) * up`, or `act(gate)` where `up` is null; `out` may be either input.
  void activate(Activation activation, Buffer gate, @Nullable Buffer up, Buffer out, int rows);

  /// `x = f(x)`.
  void activate(Xielu f, Buffer x, int rows);

  /// `out = down(act(gate in) * up in)`.
  void feedForward(FeedForward ffn, Buffer in, Buffer out, int rows);

  /// The weighted sum of the experts that the router picks for each row, plus the shared one. The
  /// router reads `routerIn`, the experts `in`; most models pass the same buffer twice.
  void mixtureOfExperts(MixtureOfExperts moe, Buffer routerIn, Buffer in, Buffer out, int rows);

  /// `x = cap * tanh(x / cap)`.
  void softcap(Buffer x, int rows, float cap);

  /// `out[i] = in[selected[i]]` for `count` rows.
  void gatherRows(Buffer in, int[] selected, int count, Buffer out);

  /// For each head `h`: `out[r, toColumn + h * toStride + i] = in[r, fromColumn + h * fromStride +
  /// i]` for `i < count`.
  void copyColumns(Columns columns, Buffer in, Buffer out, int rows);

  /// Equal ranges of columns, one per head, and where they go.
  record Columns(int fromColumn, int fromStride, int toColumn, int toStride, int count, int heads) {

    /// One range.
    public Columns(int fromColumn, int toColumn, int count) {
      this(fromColumn, 0, toColumn, 0, count, 1);
    }
  }
}
