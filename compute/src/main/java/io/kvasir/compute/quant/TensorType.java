package io.kvasir.compute.quant;

import org.jspecify.annotations.Nullable;

/// The number formats in which model files store tensors: those of GGUF (with their ids there) and
/// those that only safetensors has (id -1).
///
/// Elements are stored in blocks of [#blockElements] weights in [#blockBytes] bytes, all
/// little-endian; plain numbers are blocks of one. A row of a tensor is a whole number of blocks.
public enum TensorType {
  /// IEEE 754 binary32.
  F32(0, 1, 4),
  /// IEEE 754 binary16.
  F16(1, 1, 2),
  /// The upper half of a binary32.
  BF16(30, 1, 2),
  /// IEEE 754 binary64, rounded to f32 when decoded.
  F64(28, 1, 8),
  /// 8-bit float, 4 exponent and 3 mantissa bits, no infinity (OCP FP8).
  F8_E4M3(-1, 1, 1),
  /// 8-bit float, 5 exponent and 2 mantissa bits (OCP FP8).
  F8_E5M2(-1, 1, 1),
  /// 8-bit power of two with bias 127, the scale of OCP microscaling formats.
  F8_E8M0(-1, 1, 1),
  BOOL(-1, 1, 1),
  U8(-1, 1, 1),
  I8(24, 1, 1),
  I16(25, 1, 2),
  I32(26, 1, 4),
  I64(27, 1, 8),
  /// 4 bits and an f16 scale a block of 32.
  Q4_0(2, 32, 18),
  /// 4 bits, f16 scale and minimum a block of 32.
  Q4_1(3, 32, 20),
  /// 5 bits and an f16 scale a block of 32.
  Q5_0(6, 32, 22),
  /// 5 bits, f16 scale and minimum a block of 32.
  Q5_1(7, 32, 24),
  /// 8 bits and an f16 scale a block of 32.
  Q8_0(8, 32, 34),
  /// 2 bits, 4-bit scales and minimums a 16 weights.
  Q2_K(10, 256, 84),
  /// 3 bits, 6-bit scales a 16 weights.
  Q3_K(11, 256, 110),
  /// 4 bits, 6-bit scales and minimums a 32 weights.
  Q4_K(12, 256, 144),
  /// 5 bits, 6-bit scales and minimums a 32 weights.
  Q5_K(13, 256, 176),
  /// 6 bits, 8-bit scales a 16 weights.
  Q6_K(14, 256, 210),
  /// 2.06 bits: 8 weights an 8-bit codebook entry, signs apart.
  IQ2_XXS(16, 256, 66),
  /// 2.31 bits: 8 weights a 9-bit codebook entry.
  IQ2_XS(17, 256, 74),
  /// 2.56 bits: 8 weights a 10-bit codebook entry.
  IQ2_S(22, 256, 82),
  /// 3.06 bits: 4 weights an 8-bit codebook entry.
  IQ3_XXS(18, 256, 98),
  /// 3.44 bits: 4 weights a 9-bit codebook entry.
  IQ3_S(21, 256, 110),
  /// 1.56 bits: 8 weights an 11-bit entry of a ternary codebook.
  IQ1_S(19, 256, 50),
  /// 1.75 bits: as IQ1_S with a scale a 16 weights.
  IQ1_M(29, 256, 56),
  /// 4 bits into a non-linear table of 16 values, f16 scale a block of 32.
  IQ4_NL(20, 32, 18),
  /// 4 bits into the table of IQ4_NL, 6-bit scales a 32 weights.
  IQ4_XS(23, 256, 136),
  /// 1.69 bits: five ternary weights a byte.
  TQ1_0(34, 256, 54),
  /// 2.06 bits: four ternary weights a byte.
  TQ2_0(35, 256, 66),
  /// 4-bit floats (E2M1) with a power-of-two scale a block of 32 (OCP MX).
  MXFP4(39, 32, 17),
  /// 4-bit floats (E2M1) with an unsigned E4M3 scale a 16 weights.
  NVFP4(40, 64, 36);

  private static final TensorType[] BY_GGML_ID = new TensorType[41];

  static {
    for (TensorType type : values()) {
      if (type.ggmlId >= 0) {
        BY_GGML_ID[type.ggmlId] = type;
      }
    }
  }

  private final int ggmlId;
  private final int blockElements;
  private final int blockBytes;

  TensorType(int ggmlId, int blockElements, int blockBytes) {
    this.ggmlId = ggmlId;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  /// The type with this id in a GGUF file.
  ///
  /// @throws IllegalArgumentException where GGUF has no such type or Kvasir does not read it
  public static TensorType ofGgml(int id) {
    TensorType type = findGgml(id);
    if (type == null) {
      throw new IllegalArgumentException("unknown GGUF tensor type " + id);
    }
    return type;
  }

  /// As [#ofGgml], null where there is no such type.
  public static @Nullable TensorType findGgml(int id) {
    return id >= 0 && id < BY_GGML_ID.length ? BY_GGML_ID[id] : null;
  }

  /// The id in a GGUF file, -1 where GGUF cannot hold this type.
  public int ggmlId() {
    return ggmlId;
  }

  /// Weights a block.
  public int blockElements() {
    return blockElements;
  }

  /// Bytes a block.
  public int blockBytes() {
    return blockBytes;
  }

  /// The bytes that `elements` weights take.
  ///
  /// @throws IllegalArgumentException where that is no whole number of blocks or does not fit in 63
  ///   bits
  public long bytes(long elements) {
    if (elements < 0 || elements % blockElements != 0) {
      throw new IllegalArgumentException(
          elements + " elements are no whole number of " + this + " blocks of " + blockElements);
    }
    long blocks = elements / blockElements;
    if (blocks > Long.MAX_VALUE / blockBytes) {
      throw new IllegalArgumentException(elements + " " + this + " elements are too many");
    }
    return blocks * blockBytes;
  }

  /// True where a block holds more than one weight.
  public boolean isQuantized() {
    return blockElements > 1;
  }

  /// The exact scalar decoder of this format.
  public WeightCodec codec() {
    return switch (this) {
      case F32 -> PlainNumbers.F32;
      case F16 -> PlainNumbers.F16;
      case BF16 -> PlainNumbers.BF16;
      case F64 -> PlainNumbers.F64;
      case F8_E4M3 -> SmallFloats.F8_E4M3;
      case F8_E5M2 -> SmallFloats.F8_E5M2;
      case F8_E8M0 -> SmallFloats.F8_E8M0;
      case BOOL, U8 -> PlainNumbers.U8;
      case I8 -> PlainNumbers.I8;
      case I16 -> PlainNumbers.I16;
      case I32 -> PlainNumbers.I32;
      case I64 -> PlainNumbers.I64;
      case Q4_0 -> LegacyQuants.Q4_0;
      case Q4_1 -> LegacyQuants.Q4_1;
      case Q5_0 -> LegacyQuants.Q5_0;
      case Q5_1 -> LegacyQuants.Q5_1;
      case Q8_0 -> LegacyQuants.Q8_0;
      case Q2_K -> KQuants.Q2_K;
      case Q3_K -> KQuants.Q3_K;
      case Q4_K -> KQuants.Q4_K;
      case Q5_K -> KQuants.Q5_K;
      case Q6_K -> KQuants.Q6_K;
      case IQ2_XXS -> IQuants.IQ2_XXS;
      case IQ2_XS -> IQuants.IQ2_XS;
      case IQ2_S -> IQuants.IQ2_S;
      case IQ3_XXS -> IQuants.IQ3_XXS;
      case IQ3_S -> IQuants.IQ3_S;
      case IQ1_S -> IQuants.IQ1_S;
      case IQ1_M -> IQuants.IQ1_M;
      case IQ4_NL -> NonLinearQuants.IQ4_NL;
      case IQ4_XS -> NonLinearQuants.IQ4_XS;
      case TQ1_0 -> TernaryQuants.TQ1_0;
      case TQ2_0 -> TernaryQuants.TQ2_0;
      case MXFP4 -> Float4Quants.MXFP4;
      case NVFP4 -> Float4Quants.NVFP4;
    };
  }

  /// The encoder of this format, null where Kvasir does not write it.
  public @Nullable WeightEncoder findEncoder() {
    return Encoders.find(this);
  }

  /// The encoder of this format.
  ///
  /// @throws IllegalArgumentException where Kvasir does not write it
  public WeightEncoder encoder() {
    WeightEncoder encoder = findEncoder();
    if (encoder == null) {
      throw new IllegalArgumentException("Kvasir reads " + this + " but does not write it");
    }
    return encoder;
  }
}
