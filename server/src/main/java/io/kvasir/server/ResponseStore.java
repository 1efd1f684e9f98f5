package io.kvasir.server;

import io.kvasir.model.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Conversations that a later response may go on with, by the id of the response that ended them.
/// The least recently used are forgotten when there are too many, or too much text in all.
final class ResponseStore {
  private static final int MOST = 1_024;

  private final long mostCharacters;
  private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
  private long characters;

  private record Entry(String tenant, List<Json> messages, long characters) {}

  /// @param mostCharacters most text of all conversations
  ResponseStore(long mostCharacters) {
    this.mostCharacters = mostCharacters;
  }

  /// Keeps a conversation.
  ///
  /// @param tenant who may go on with it
  synchronized void put(String id, String tenant, List<Json> before, List<Json> more) {
    List<Json> messages = new ArrayList<>(before);
    messages.addAll(more);
    long size = 0;
    for (Json message : messages) {
      size += message.toText().length();
    }
    if (size > mostCharacters) {
      return;
    }
    entries.put(id, new Entry(tenant, List.copyOf(messages), size));
    characters += size;
    while (entries.size() > MOST || characters > mostCharacters) {
      String oldest = entries.keySet().iterator().next();
      Entry gone = entries.remove(oldest);
      characters -= gone == null ? 0 : gone.characters();
    }
  }

  /// The conversation that ended with response `id`, null where it is forgotten or another
  /// tenant's.
  synchronized @Nullable List<Json> get(String id, String tenant) {
    Entry entry = entries.get(id);
    return entry == null || !entry.tenant().equals(tenant) ? null : entry.messages();
  }
}
