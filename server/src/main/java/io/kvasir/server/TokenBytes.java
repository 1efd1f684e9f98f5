package io.kvasir.server;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import java.util.Map;
import java.util.TreeMap;

/// The bytes that one more token takes in the cache, by what its rows are and by their format; what
/// exact copies of the first and newest rows take does not grow with the sequence.
final class TokenBytes {
  private TokenBytes() {}

  /// Bytes by the labels `,rows="keys|values|padding",format="..."`; together
  /// [KvLayout#bytesPerToken].
  static Map<String, Double> of(KvLayout layout) {
    Map<String, Double> bytes = new TreeMap<>();
    double sum = 0;
    for (LayerGroup group : layout.groups()) {
      if (group.role() != LayerGroup.Role.CODES) {
        continue;
      }
      for (LayerKv kv : group.kvs()) {
        double heads = (double) kv.kvHeads() / layout.blockTokens();
        double keys = heads * bytes(kv.keyFormat(), layout, kv.keyDim(), kv.keyKind());
        bytes.merge(labels("keys", kv.keyFormat()), keys, Double::sum);
        sum += keys;
        if (kv.valueDim() > 0) {
          double values = heads * bytes(kv.valueFormat(), layout, kv.valueDim(), PlaneKind.VALUES);
          bytes.merge(labels("values", kv.valueFormat()), values, Double::sum);
          sum += values;
        }
      }
    }
    bytes.put(",rows=\"padding\"", layout.bytesPerToken() - sum);
    return bytes;
  }

  private static long bytes(KvFormat format, KvLayout layout, int dim, PlaneKind kind) {
    return format.planeBytes(layout.blockTokens(), dim, kind);
  }

  private static String labels(String rows, KvFormat format) {
    return ",rows=\"" + rows + "\",format=\"" + format.name() + "\"";
  }
}
