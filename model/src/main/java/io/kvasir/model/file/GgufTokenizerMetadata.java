package io.kvasir.model.file;

import io.kvasir.model.tokenizer.TokenizerMetadata;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a tokenizer asks of GGUF metadata: a value of the wrong kind counts as absent.
record GgufTokenizerMetadata(GgufMetadata metadata) implements TokenizerMetadata {

  @Override
  public @Nullable String string(String key) {
    return metadata.find(key) instanceof GgufValue.Text(String text) ? text : null;
  }

  @Override
  public long integer(String key, long fallback) {
    return metadata.find(key) instanceof GgufValue.Int(GgufType type, long value)
        ? value
        : fallback;
  }

  @Override
  public boolean bool(String key, boolean fallback) {
    return metadata.find(key) instanceof GgufValue.Bool(boolean value) ? value : fallback;
  }

  @Override
  public @Nullable List<String> strings(String key) {
    return isArray(key, GgufType.STRING) ? metadata.strings(key) : null;
  }

  @Override
  public float @Nullable [] floats(String key) {
    return isArray(key, GgufType.F32) || isArray(key, GgufType.F64) ? metadata.floats(key) : null;
  }

  @Override
  public int @Nullable [] ints(String key) {
    if (!(metadata.find(key) instanceof GgufValue.Array array)) {
      return null;
    }
    return switch (array.elementType()) {
      case U8, I8, U16, I16, U32, I32, U64, I64, BOOL -> intsOrNull(key);
      case F32, F64, STRING, ARRAY -> null;
    };
  }

  private int @Nullable [] intsOrNull(String key) {
    try {
      return metadata.ints(key);
    } catch (ModelFormatException e) {
      return null;
    }
  }

  private boolean isArray(String key, GgufType elementType) {
    return metadata.find(key) instanceof GgufValue.Array array
        && array.elementType() == elementType;
  }
}
