package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Responses that clients may ask for again, and whose conversations they may go on with, by id.
/// The least recently used are forgotten when there are too many, or too much text in all.
final class ResponseStore {
  private static final int MOST = 1_024;

  private final long mostCharacters;
  private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
  private long characters;

  /// A response and the conversation that it ended.
  record Entry(String tenant, List<Json> messages, ObjectNode response, long characters) {}

  /// @param mostCharacters most text of all conversations
  ResponseStore(long mostCharacters) {
    this.mostCharacters = mostCharacters;
  }

  /// Keeps a conversation.
  ///
  /// @param tenant who may go on with it
  synchronized void put(String id, String tenant, List<Json> messages, ObjectNode response) {
    long size = response.toString().length();
    for (Json message : messages) {
      size += message.toText().length();
    }
    if (size > mostCharacters) {
      return;
    }
    entries.put(id, new Entry(tenant, List.copyOf(messages), response, size));
    characters += size;
    while (entries.size() > MOST || characters > mostCharacters) {
      String oldest = entries.keySet().iterator().next();
      Entry gone = entries.remove(oldest);
      characters -= gone == null ? 0 : gone.characters();
    }
  }

  /// Null where the response is forgotten or another tenant's.
  synchronized @Nullable Entry get(String id, String tenant) {
    Entry entry = entries.get(id);
    return entry == null || !entry.tenant().equals(tenant) ? null : entry;
  }

  /// Forgets a response. @return whether it was there
  synchronized boolean remove(String id, String tenant) {
    Entry entry = get(id, tenant);
    if (entry == null) {
      return false;
    }
    entries.remove(id);
    characters -= entry.characters();
    return true;
  }
}
