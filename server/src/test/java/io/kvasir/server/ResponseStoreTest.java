package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.model.json.Json;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What the server remembers of responses, and for whom.
final class ResponseStoreTest {
  private static final List<Json> TEN = List.of(new Json.Str("12345678"));

  @Test
  void response_ofAnotherTenant_isUnknown() {
    ResponseStore store = new ResponseStore(1_000);
    store.put("r", "a", TEN, Wire.object());

    assertThat(store.get("r", "b")).isNull();
    assertThat(store.get("r", "")).isNull();
    assertThat(store.remove("r", "b")).isFalse();
    assertThat(store.get("r", "a")).isNotNull();
    assertThat(store.remove("r", "a")).isTrue();
    assertThat(store.get("r", "a")).isNull();
  }

  @Test
  void tooMuchText_forgetsTheLeastRecentlyUsed() {
    ResponseStore store = new ResponseStore(30); // An entry has 10 characters and the response's 2.
    store.put("1", "", TEN, Wire.object());
    store.put("2", "", TEN, Wire.object());
    assertThat(store.get("1", "")).isNotNull();
    store.put("3", "", TEN, Wire.object());

    assertThat(store.get("2", "")).isNull();
    assertThat(store.get("1", "")).isNotNull();
    store.put("4", "", List.of(new Json.Str("x".repeat(40))), Wire.object());
    assertThat(store.get("4", "")).isNull();
    assertThat(store.get("3", "")).isNotNull();
  }

  @Test
  void manyResponses_keepTheLatest() {
    ResponseStore store = new ResponseStore(1 << 20);
    for (int i = 0; i < 2_000; i++) {
      store.put("r" + i, "", TEN, Wire.object());
    }

    assertThat(store.get("r1999", "")).isNotNull();
    assertThat(store.get("r975", "")).isNull();
    assertThat(store.get("r976", "")).isNotNull();
  }
}
