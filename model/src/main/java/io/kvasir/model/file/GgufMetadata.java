package io.kvasir.model.file;

import io.kvasir.model.tokenizer.TokenizerMetadata;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The key-value part of a GGUF file with typed look-ups. A look-up of an absent key answers null
/// or the fallback; of a key of another kind it throws [ModelFormatException].
///
/// Integers of any width are interchangeable, and a whole number may stand where a real is wanted
/// and the reverse, since converters differ. Immutable; valid while its file is open.
public final class GgufMetadata {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Map<String, GgufValue> values;
  private final String file;

  /// @param file the name for error messages
  GgufMetadata(Map<String, GgufValue> values, String file) {
    this.values = Collections.unmodifiableMap(values);
    this.file = file;
  }

  /// The keys in file order.
  public Set<String> keys() {
    return values.keySet();
  }

  /// All values by key, in file order.
  public Map<String, GgufValue> values() {
    return values;
  }

  public boolean has(String key) {
    return values.containsKey(key);
  }

  public @Nullable GgufValue find(String key) {
    return values.get(key);
  }

  public @Nullable String string(String key) {
    return switch (values.get(key)) {
      case null -> null;
      case GgufValue.Text(String text) -> text;
      case GgufValue other -> throw unexpected(key, "a string", other);
    };
  }

  public String stringOr(String key, String fallback) {
    String value = string(key);
    return value == null ? fallback : value;
  }

  public String requireString(String key) {
    String value = string(key);
    if (value == null) {
      throw missing(key);
    }
    return value;
  }

  public @Nullable Long integer(String key) {
    GgufValue value = values.get(key);
    return value == null ? null : toLong(key, value);
  }

  public long longOr(String key, long fallback) {
    GgufValue value = values.get(key);
    return value == null ? fallback : toLong(key, value);
  }

  public int intOr(String key, int fallback) {
    return toInt(key, longOr(key, fallback));
  }

  public int requireInt(String key) {
    GgufValue value = values.get(key);
    if (value == null) {
      throw missing(key);
    }
    return toInt(key, toLong(key, value));
  }

  public double doubleOr(String key, double fallback) {
    return switch (values.get(key)) {
      case null -> fallback;
      case GgufValue.Real(GgufType type, double real) -> real;
      case GgufValue.Int whole -> (double) toLong(key, whole);
      case GgufValue other -> throw unexpected(key, "a number", other);
    };
  }

  public boolean booleanOr(String key, boolean fallback) {
    return switch (values.get(key)) {
      case null -> fallback;
      case GgufValue.Bool(boolean flag) -> flag;
      case GgufValue other -> throw unexpected(key, "true or false", other);
    };
  }

  /// An array of strings, null where absent. Malformed UTF-8 is replaced by U+FFFD.
  public @Nullable List<String> strings(String key) {
    GgufValue.Array array = array(key, "an array of strings");
    if (array == null) {
      return null;
    }
    if (array.elementType() != GgufType.STRING) {
      throw unexpected(key, "an array of strings", array);
    }
    GgufCursor cursor = new GgufCursor(array.encoded(), file);
    cursor.enter("metadata", key);
    int count = arrayLength(key, array);
    List<String> texts = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      texts.add(cursor.readString());
    }
    return Collections.unmodifiableList(texts);
  }

  /// An array of integers (or booleans, as 0 and 1), or a single one as an array of one; null where
  /// absent.
  public int @Nullable [] ints(String key) {
    GgufValue value = values.get(key);
    if (value instanceof GgufValue.Int) {
      return new int[] {requireInt(key)};
    }
    GgufValue.Array array = array(key, "an array of integers");
    if (array == null) {
      return null;
    }
    int[] result = new int[arrayLength(key, array)];
    for (int i = 0; i < result.length; i++) {
      result[i] = toInt(key, integerAt(key, array, i));
    }
    return result;
  }

  /// An array of numbers, or a single one as an array of one; null where absent.
  public float @Nullable [] floats(String key) {
    GgufValue value = values.get(key);
    if (value instanceof GgufValue.Real(GgufType type, double real)) {
      return new float[] {(float) real};
    }
    GgufValue.Array array = array(key, "an array of numbers");
    if (array == null) {
      return null;
    }
    float[] result = new float[arrayLength(key, array)];
    for (int i = 0; i < result.length; i++) {
      result[i] =
          switch (array.elementType()) {
            case F32 -> Float.intBitsToFloat(array.encoded().get(INT, 4L * i));
            case F64 -> (float) Double.longBitsToDouble(array.encoded().get(LONG, 8L * i));
            default -> integerAt(key, array, i);
          };
    }
    return result;
  }

  /// This metadata as tokenizers want it: never throwing.
  public TokenizerMetadata forTokenizer() {
    return new GgufTokenizerMetadata(this);
  }

  private GgufValue.@Nullable Array array(String key, String wanted) {
    return switch (values.get(key)) {
      case null -> null;
      case GgufValue.Array array -> array;
      case GgufValue other -> throw unexpected(key, wanted, other);
    };
  }

  private int arrayLength(String key, GgufValue.Array array) {
    if (array.count() > Integer.MAX_VALUE - 8) {
      throw new ModelFormatException(
          "%s: metadata '%s' has %d elements".formatted(file, key, array.count()));
    }
    return (int) array.count();
  }

  private long integerAt(String key, GgufValue.Array array, int index) {
    long i = index;
    return switch (array.elementType()) {
      case U8, BOOL -> array.encoded().get(ValueLayout.JAVA_BYTE, i) & 0xFF;
      case I8 -> array.encoded().get(ValueLayout.JAVA_BYTE, i);
      case U16 -> array.encoded().get(SHORT, 2 * i) & 0xFFFF;
      case I16 -> array.encoded().get(SHORT, 2 * i);
      case U32 -> array.encoded().get(INT, 4 * i) & 0xFFFF_FFFFL;
      case I32 -> array.encoded().get(INT, 4 * i);
      case U64, I64 -> array.encoded().get(LONG, 8 * i);
      case F32, F64, STRING, ARRAY -> throw unexpected(key, "an array of integers", array);
    };
  }

  private long toLong(String key, GgufValue value) {
    if (value instanceof GgufValue.Int(GgufType type, long whole)) {
      if (type == GgufType.U64 && whole < 0) {
        throw new ModelFormatException(
            "%s: metadata '%s' is %s, which is too large"
                .formatted(file, key, Long.toUnsignedString(whole)));
      }
      return whole;
    }
    if (value instanceof GgufValue.Real(GgufType type, double real)
        && real == Math.rint(real)
        && Math.abs(real) < 1e15) {
      return (long) real;
    }
    throw unexpected(key, "an integer", value);
  }

  private int toInt(String key, long value) {
    if (value != (int) value) {
      throw new ModelFormatException(
          "%s: metadata '%s' is %d, which does not fit in 32 bits".formatted(file, key, value));
    }
    return (int) value;
  }

  private ModelFormatException missing(String key) {
    return new ModelFormatException(file + " has no metadata '" + key + "'");
  }

  private ModelFormatException unexpected(String key, String wanted, GgufValue found) {
    String kind =
        switch (found) {
          case GgufValue.Int(GgufType type, long value) -> "the integer " + value;
          case GgufValue.Real(GgufType type, double value) -> "the number " + value;
          case GgufValue.Bool(boolean value) -> "the truth value " + value;
          case GgufValue.Text(String text) -> "the string '" + Excerpt.of(text) + "'";
          case GgufValue.Array array -> "an array of " + array.count() + " " + array.elementType();
        };
    return new ModelFormatException(
        "%s: metadata '%s' should be %s but is %s".formatted(file, key, wanted, kind));
  }
}
