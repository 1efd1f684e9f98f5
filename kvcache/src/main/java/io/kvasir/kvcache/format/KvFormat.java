package io.kvasir.kvcache.format;

import java.util.List;

/// How one plane of cached keys or values is stored. A plane holds the rows of one block, one layer
/// and one kv head: `[S, D]`, S block tokens of D elements.
///
/// Each format is one file: its javadoc is the byte diagram, its body the scalar codec, which is
/// the executable specification that every kernel is tested against. Formats are stateless and safe
/// for use by several threads.
public sealed interface KvFormat
    permits F32Format,
        F16Format,
        Bf16Format,
        Int8Format,
        GroupFormat,
        LloydMaxFormat,
        KvarnFormat,
        Fp8Format,
        LlamaByteFormat,
        LlamaSignedFormat,
        LlamaAffineFormat,
        KiviFormat {

  KvFormat F32 = new F32Format();
  KvFormat F16 = new F16Format();
  KvFormat BF16 = new Bf16Format();
  KvFormat INT8 = new Int8Format();
  KvFormat INT6 = new GroupFormat(6);
  KvFormat INT5 = new GroupFormat(5);
  KvFormat INT4 = new GroupFormat(4);

  /// Every format, in the order in which help texts list them.
  List<KvFormat> ALL =
      List.of(
          F32,
          F16,
          BF16,
          INT8,
          new Fp8Format(),
          INT6,
          INT5,
          INT4,
          new LloydMaxFormat(4),
          new LloydMaxFormat(3),
          new LloydMaxFormat(2),
          new KvarnFormat(4),
          new KvarnFormat(3),
          new KvarnFormat(2),
          new KiviFormat(4),
          new KiviFormat(2),
          new LlamaByteFormat(false),
          new LlamaByteFormat(true),
          new LlamaAffineFormat(),
          new LlamaSignedFormat(5, false),
          new LlamaSignedFormat(4, false),
          new LlamaSignedFormat(4, true));

  /// The name used on the command line and in tables.
  String name();

  /// Bytes of a plane of `blockTokens` rows of `dim` elements, before alignment.
  long planeBytes(int blockTokens, int dim, PlaneKind kind);

  /// What is done to rows before they are encoded.
  RowBasis rowBasis();

  /// Rows that are encoded together: 1 for formats that encode each row as it comes, else a
  /// multiple of 16 that block sizes must be a multiple of.
  int tileTokens(PlaneKind kind);

  /// Writes `plane.dim()` floats from `source[offset]` into row `slot` of the plane; where rows are
  /// encoded together, [#tileTokens] rows from `slot` on.
  void encode(float[] source, int offset, KvPlane plane, int slot);

  /// Copies the codes of a row, without decoding them.
  ///
  /// @throws UnsupportedOperationException where rows are encoded together
  void copyRow(KvPlane from, int slot, KvPlane to, int toSlot);

  /// Reads row `slot` of the plane into `target[offset]`.
  void decode(KvPlane plane, int slot, float[] target, int offset);

  /// The format called `name`.
  ///
  /// @throws IllegalArgumentException naming the value and the known formats
  static KvFormat named(String name) {
    for (KvFormat format : ALL) {
      if (format.name().equals(name)) {
        return format;
      }
    }
    throw new IllegalArgumentException(
        "unknown cache format '"
            + name
            + "'; choose one of "
            + String.join(", ", ALL.stream().map(KvFormat::name).toList()));
  }
}
