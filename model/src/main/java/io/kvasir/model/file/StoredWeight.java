package io.kvasir.model.file;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/// One weight of a model as its file stores it: a single tensor, or codes and scales in tensors of
/// their own, as Hugging Face models in FP8 and MXFP4 have them.
///
/// Immutable; valid while the file is open.
public sealed interface StoredWeight {

  /// The name of the assembled tensor.
  String name();

  /// The number format of the assembled tensor.
  TensorType type();

  /// The shape of the assembled tensor, outermost dimension first.
  long[] shape();

  /// The bytes that the weight takes in the file.
  long storedBytes();

  /// Decodes row `row` (all outer dimensions counted as one) into `target`.
  void decodeRow(long row, float[] target);

  /// Writes the assembled tensor's bytes.
  ///
  /// @param target as many bytes as type and shape take
  void assemble(MemorySegment target);

  /// The assembled tensor; one that needs no assembling is used where it lies.
  ///
  /// @param arena memory for what has to be put together
  default Tensor assembled(Arena arena) {
    if (this instanceof Whole(Tensor tensor)) {
      return tensor;
    }
    long bytes = Tensor.byteSize(name(), type(), shape());
    MemorySegment target = arena.allocate(Math.max(1, bytes), 64).asSlice(0, bytes);
    assemble(target);
    return new Tensor(name(), type(), shape(), target);
  }

  /// A tensor that needs no assembling.
  record Whole(Tensor tensor) implements StoredWeight {
    @Override
    public String name() {
      return tensor.name();
    }

    @Override
    public TensorType type() {
      return tensor.type();
    }

    @Override
    public long[] shape() {
      return tensor.shape();
    }

    @Override
    public long storedBytes() {
      return tensor.data().byteSize();
    }

    @Override
    public void decodeRow(long row, float[] target) {
      tensor.decodeRow(row, target, 0);
    }

    @Override
    public void assemble(MemorySegment target) {
      target.copyFrom(tensor.data());
    }
  }

  /// MXFP4 as gpt-oss stores it: `NAME_blocks` U8 `[..., rows, groups, 16]` with the code of weight
  /// `2 i` of a group in the low half of byte `i`, and `NAME_scales` U8 `[..., rows, groups]`.
  ///
  /// It is assembled to the MXFP4 blocks of GGUF, which hold the same bits in another order (weight
  /// `i` and `i + 16` in byte `i`, the scale before them): as small as in the file, and one kernel
  /// serves both origins. The shape is `[..., rows, 32 groups]`; gpt-oss keeps these matrices as
  /// `[experts, out, in]`, while its unquantized form is `[experts, in, out]`.
  record Microscaled(String name, Tensor blocks, Tensor scales) implements StoredWeight {
    private static final ValueLayout.OfInt INT =
        ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
        ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long LOW_NIBBLES = 0x0F0F_0F0F_0F0F_0F0FL;

    /// @throws ModelFormatException where the shapes do not belong together
    public Microscaled {
      long[] groups = Arrays.copyOf(blocks.shape(), Math.max(0, blocks.dimensions() - 1));
      if (blocks.dimensions() < 3
          || blocks.columns() != 16
          || !Arrays.equals(groups, scales.shape())) {
        throw new ModelFormatException(blocks + " and " + scales + " do not make an MXFP4 weight");
      }
    }

    @Override
    public TensorType type() {
      return TensorType.MXFP4;
    }

    @Override
    public long[] shape() {
      long[] shape = scales.shape();
      shape[shape.length - 1] *= 32;
      return shape;
    }

    @Override
    public long storedBytes() {
      return blocks.data().byteSize() + scales.data().byteSize();
    }

    @Override
    public void decodeRow(long row, float[] target) {
      byte[] assembled = new byte[Math.toIntExact(17 * scales.columns())];
      MemorySegment bytes = MemorySegment.ofArray(assembled);
      assemble(row * scales.columns(), scales.columns(), bytes);
      TensorType.MXFP4.codec().decode(bytes, 0, target, 0, Math.toIntExact(32 * scales.columns()));
    }

    @Override
    public void assemble(MemorySegment target) {
      assemble(0, scales.elements(), target);
    }

    private void assemble(long first, long count, MemorySegment target) {
      for (long i = 0; i < count; i++) {
        long from = 16 * (first + i);
        long to = 17 * i;
        byte scale = scales.data().get(ValueLayout.JAVA_BYTE, first + i);
        target.set(ValueLayout.JAVA_BYTE, to, scale);
        // Four bytes are eight codes in order; spread each to the low half of a byte.
        target.set(LONG, to + 1, spread(from) | spread(from + 8) << 4);
        target.set(LONG, to + 9, spread(from + 4) | spread(from + 12) << 4);
      }
    }

    private long spread(long at) {
      return Long.expand(blocks.data().get(INT, at) & 0xFFFF_FFFFL, LOW_NIBBLES);
    }
  }

  /// FP8 codes, with the scales of DeepSeek (`NAME_scale_inv`, one per 128 x 128 weights), of
  /// others (`NAME_scale`, one per tensor, row or block), or none.
  ///
  /// It is assembled to BF16: eight bits of precision hold FP8's four with room for the scale
  /// (relative error at most 2^-9, a thirtieth of FP8's own), all kernels read it, and the models'
  /// publishers convert in the same way. It takes twice the file's bytes of memory; who cannot
  /// spare them converts the model once, to Q8_0. Keeping the codes would need a kernel per scale
  /// shape.
  record ScaledFloat8(Tensor codes, WeightScales scales) implements StoredWeight {
    @Override
    public String name() {
      return codes.name();
    }

    @Override
    public TensorType type() {
      return TensorType.BF16;
    }

    @Override
    public long[] shape() {
      return codes.shape();
    }

    @Override
    public long storedBytes() {
      return codes.data().byteSize() + 4L * scales.count();
    }

    @Override
    public void decodeRow(long row, float[] target) {
      codes.decodeRow(row, target, 0);
      scales.multiply(row, target, Math.toIntExact(codes.columns()));
    }

    @Override
    public void assemble(MemorySegment target) {
      int columns = Math.toIntExact(codes.columns());
      float[] values = new float[columns];
      for (long row = 0; row < codes.rows(); row++) {
        decodeRow(row, values);
        TensorType.BF16.encoder().encode(values, 0, columns, target, 2 * row * columns);
      }
    }
  }
}
