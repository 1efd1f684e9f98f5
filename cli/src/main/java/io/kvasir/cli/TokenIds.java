package io.kvasir.cli;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Reads token ids from the command line or a file.
final class TokenIds {
  private TokenIds() {}

  /// Reads `1,2,3`.
  static int[] parse(String list) {
    List<Integer> ids = new ArrayList<>();
    for (String part : list.split("[,\\s]+", -1)) {
      try {
        ids.add(Integer.parseInt(part));
      } catch (NumberFormatException e) {
        throw new UsageException("'" + part + "' in --ids is no token id; write them like 1,2,3");
      }
    }
    return checked(ids, "--ids");
  }

  /// Reads a JSON array of ids, or an object with one under `input_ids` or `ids`.
  static int[] read(Path file) throws IOException {
    try {
      Json json = Json.parse(Files.readString(file));
      Json list = json.has("input_ids") ? json.get("input_ids") : json.get("ids");
      List<Integer> ids = new ArrayList<>();
      for (Json id : (list.isNull() ? json : list).asList()) {
        ids.add(id.asInt());
      }
      return checked(ids, "'" + file + "'");
    } catch (JsonException e) {
      throw new FailureException(
          "'" + file + "' should hold a JSON array of token ids: " + e.getMessage(), e);
    }
  }

  private static int[] checked(List<Integer> ids, String where) {
    if (ids.isEmpty()) {
      throw new UsageException(where + " holds no token ids");
    }
    return ids.stream().mapToInt(Integer::intValue).toArray();
  }
}
