package io.kvasir.model.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Metadata held in a map of plain Java values: strings, boxed numbers and truth values, and arrays
/// as lists or as Java arrays.
record MapMetadata(Map<String, ?> values) implements TokenizerMetadata {

  @Override
  public @Nullable String string(String key) {
    return values.get(key) instanceof String text ? text : null;
  }

  @Override
  public long integer(String key, long fallback) {
    return values.get(key) instanceof Number number ? number.longValue() : fallback;
  }

  @Override
  public boolean bool(String key, boolean fallback) {
    return values.get(key) instanceof Boolean bool ? bool : fallback;
  }

  @Override
  public @Nullable List<String> strings(String key) {
    Object value = values.get(key);
    if (value instanceof String[] array) {
      return List.of(array);
    }
    if (!(value instanceof List<?> list)) {
      return null;
    }
    List<String> out = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof String text)) {
        return null;
      }
      out.add(text);
    }
    return out;
  }

  @Override
  public float @Nullable [] floats(String key) {
    Object value = values.get(key);
    if (value instanceof float[] array) {
      return array;
    }
    if (!(value instanceof List<?> list)) {
      return null;
    }
    float[] out = new float[list.size()];
    for (int i = 0; i < out.length; i++) {
      if (!(list.get(i) instanceof Number number)) {
        return null;
      }
      out[i] = number.floatValue();
    }
    return out;
  }

  @Override
  public int @Nullable [] ints(String key) {
    Object value = values.get(key);
    if (value instanceof int[] array) {
      return array;
    }
    if (value instanceof byte[] array) {
      int[] out = new int[array.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = array[i];
      }
      return out;
    }
    if (!(value instanceof List<?> list)) {
      return null;
    }
    int[] out = new int[list.size()];
    for (int i = 0; i < out.length; i++) {
      if (!(list.get(i) instanceof Number number)) {
        return null;
      }
      out[i] = number.intValue();
    }
    return out;
  }
}
