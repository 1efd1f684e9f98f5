package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.engine.FinishReason;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
final class HttpSessionsTest {
  private static final String UNKNOWN = "0123456789abcdef0123456789abcdef";
  private static Stories stories;

  @TempDir Path folder;
  private long now;
  private HttpSessions sessions;

  @BeforeAll
  static void start() throws IOException {
    stories = Stories.start();
  }

  @AfterAll
  static void stop() {
    stories.close();
  }

  @BeforeEach
  void make() {
    sessions = sessions(new SessionLimits(6, 4, Duration.ofMinutes(10), folder));
  }

  @AfterEach
  void end() {
    sessions.close();
  }

  private HttpSessions sessions(SessionLimits limits) {
    return new HttpSessions(stories.engine, limits, () -> now);
  }

  private static void status(int status, Runnable action) {
    assertThatThrownBy(action::run)
        .isInstanceOfSatisfying(
            ApiException.class, refused -> assertThat(refused.status()).isEqualTo(status));
  }

  private interface Failing {
    void run() throws IOException;
  }

  private static void fails(int status, Failing action) {
    assertThatThrownBy(action::run)
        .isInstanceOfSatisfying(
            ApiException.class, refused -> assertThat(refused.status()).isEqualTo(status));
  }

  /// Generates a few tokens in a session. @return prompt tokens that were cached
  private static int talk(HttpSessions.Held held, String prompt) throws InterruptedException {
    int[] ids = stories.tokenizer.encode(prompt);
    TokenStream answer =
        stories.engine.submit(
            new Request(ids, 4, SamplingOptions.GREEDY, Set.of(), held.session()));
    while (answer.advance()) {
      // The tokens do not matter.
    }
    assertThat(answer.outcome().reason()).isEqualTo(FinishReason.LENGTH);
    return answer.outcome().cachedTokens();
  }

  @Test
  void ids_are128RandomBits() {
    String first = sessions.create("a").id();
    String second = sessions.create("a").id();

    assertThat(first).matches("[0-9a-f]{32}").isNotEqualTo(second);
  }

  @Test
  void idOfAnotherTenant_isAsUnknownAsOneThatNeverWas() throws Exception {
    HttpSessions.Held held = sessions.create("a");
    talk(held, "Once upon a time there was a fox");
    sessions.save("a", held.id());

    for (String id : List.of(held.id(), UNKNOWN, "", "../../etc/passwd")) {
      status(404, () -> sessions.lookup("b", id));
      status(404, () -> sessions.fork("b", id));
      status(404, () -> sessions.rewind("b", id, 0));
      fails(404, () -> sessions.save("b", id));
      status(404, () -> sessions.resume("b", id));
      fails(404, () -> sessions.delete("b", id, true));
    }
    assertThat(sessions.list("b")).isEmpty();
    assertThat(sessions.lookup("a", held.id())).isSameAs(held);
    assertThat(sessions.list("a")).singleElement().matches(listed -> listed.saved());
  }

  @Test
  void tenants_shareNoPrefixes() throws Exception {
    String prompt = "The old bear walked over the hill and ".repeat(12);
    assertThat(talk(sessions.create("a"), prompt)).isZero();
    assertThat(talk(sessions.create("b"), prompt)).isZero();
    assertThat(talk(sessions.create("a"), prompt)).isPositive();
  }

  @Test
  void fork_sharesThePast_andRewindCutsIt() throws Exception {
    HttpSessions.Held held = sessions.create("a");
    String prompt = "Two friends wanted to build a boat from the wood of the forest. ".repeat(6);
    talk(held, prompt);
    int length = sessions.tokens(held);

    HttpSessions.Held fork = sessions.fork("a", held.id());
    assertThat(fork.parent()).isEqualTo(held.id());
    assertThat(sessions.tokens(fork)).isEqualTo(length);
    assertThat(stories.engine.cacheStats().sharedBlocks()).isPositive();
    assertThat(sessions.rewind("a", fork.id(), 20)).isEqualTo(20);
    assertThat(sessions.tokens(held)).isEqualTo(length);
    status(400, () -> sessions.rewind("a", fork.id(), length));
    stories.engine.verify();
  }

  @Test
  void resume_afterRestart_goesOnWithoutComputing() throws Exception {
    HttpSessions.Held held = sessions.create("a");
    String prompt = "A lantern stood in the snow, and nobody knew who had lit it. ".repeat(5);
    talk(held, prompt);
    int tokens = sessions.tokens(held);
    assertThat(sessions.save("a", held.id())).isGreaterThan(1_000);
    sessions.close();
    stories.engine.resetPrefixCache();

    HttpSessions restarted = sessions(new SessionLimits(6, 4, Duration.ofMinutes(10), folder));
    status(404, () -> restarted.lookup("a", held.id()));
    assertThat(restarted.list("a")).singleElement().matches(listed -> !listed.live());
    HttpSessions.Held again = restarted.resume("a", held.id());

    assertThat(restarted.tokens(again)).isEqualTo(tokens);
    assertThat(talk(again, prompt + " Then")).isGreaterThan(tokens - 8);
    assertThat(restarted.resume("a", held.id())).isSameAs(again);
    restarted.delete("a", held.id(), true);
    status(404, () -> restarted.resume("a", held.id()));
    restarted.close();
  }

  @Test
  void number_isBounded_perTenantAndInAll() throws Exception {
    String first = sessions.create("a").id();
    for (int i = 0; i < 3; i++) {
      sessions.create("a");
    }
    status(429, () -> sessions.create("a"));
    status(429, () -> sessions.fork("a", first));
    sessions.create("b");
    sessions.create("c");
    status(429, () -> sessions.create("d"));
    sessions.delete("a", first, false);
    sessions.create("d");
  }

  @Test
  void idle_tooLong_isGone_andUseKeepsAlive() {
    String used = sessions.create("a").id();
    String unused = sessions.create("a").id();
    now += Duration.ofMinutes(9).toNanos();
    sessions.lookup("a", used);
    now += Duration.ofMinutes(9).toNanos();

    sessions.lookup("a", used);
    status(404, () -> sessions.lookup("a", unused));
  }

  @Test
  void save_withoutFolder_saysHowToGetOne() {
    HttpSessions unsaved = sessions(SessionLimits.DEFAULT);
    String id = unsaved.create("a").id();

    assertThatThrownBy(() -> unsaved.save("a", id)).hasMessageContaining("--session-dir");
    fails(409, () -> unsaved.save("a", id));
    unsaved.close();
  }

  @Test
  void save_ofEmptySession_isRefusedInASentence() {
    String id = sessions.create("a").id();

    fails(409, () -> sessions.save("a", id));
  }
}
