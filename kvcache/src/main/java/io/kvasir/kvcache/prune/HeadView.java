package io.kvasir.kvcache.prune;

/// The rows of one kv head of a sequence, as a policy sees them: decoded from the cache and out of
/// its basis, so that what is seen does not depend on how the rows came there.
///
/// Arrays may be longer than what is said here.
///
/// @param shape sizes of the head
/// @param positions of the rows, ascending; its length is the number of rows
/// @param first the first row that may be removed
/// @param end one past the last row that may be removed
/// @param keys `[rows, keyDim]` with position encoding; empty where the policy reads none
/// @param values `[rows, valueDim]`; empty where the policy reads none
/// @param queries the last queries of the heads that read this one
/// @param given `[rows]` scores computed elsewhere; empty where the policy asks for none
@SuppressWarnings("ArrayRecordComponent") // large, shared with the caller for one call
public record HeadView(
    Shape shape,
    int[] positions,
    int first,
    int end,
    float[] keys,
    float[] values,
    Queries queries,
    float[] given) {

  /// @param layer number among the layers that keep keys and values
  /// @param head kv head
  /// @param groupSize query heads that read it
  /// @param scale factor of `q k^T`
  /// @param softcap `c` of `c * tanh(x / c)` on the scaled logits; 0 for none
  public record Shape(
      int layer, int head, int groupSize, int keyDim, int valueDim, float scale, float softcap) {}

  /// @param first position of the first query; the others follow it
  /// @param count how many positions
  /// @param rows `[count, groupSize, keyDim]`
  @SuppressWarnings("ArrayRecordComponent") // large, shared with the caller for one call
  public record Queries(int first, int count, float[] rows) {
    public static final Queries NONE = new Queries(0, 0, new float[0]);
  }

  public int rows() {
    return positions.length;
  }
}
