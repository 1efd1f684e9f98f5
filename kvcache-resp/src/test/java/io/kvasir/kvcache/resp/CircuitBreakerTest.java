package io.kvasir.kvcache.resp;

import static io.kvasir.kvcache.contract.TierContract.key;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// The parts of the shared tier that need no server.
class CircuitBreakerTest {
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
  private final CircuitBreaker breaker = new CircuitBreaker(3, 10, 35, now::get);

  @Test
  void allows_fewerFailuresThanTheLimit_staysClosed() {
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    breaker.failed();
    breaker.failed();
    assertThat(breaker.allows()).isTrue();
    assertThat(breaker.isOpen()).isFalse();
  }

  @Test
  void allows_open_letsOneProbeThroughAfterPausesThatGrow() {
    breaker.failed();
    breaker.failed();
    breaker.failed();
    for (long pause : new long[] {10, 20, 35, 35}) {
      assertThat(breaker.allows()).isFalse();
      now.addAndGet(pause - 1);
      assertThat(breaker.allows()).as("1 before " + pause).isFalse();
      now.addAndGet(1);
      assertThat(breaker.allows()).as("at " + pause).isTrue();
      assertThat(breaker.allows()).as("a second caller").isFalse();
      breaker.failed();
    }
    now.addAndGet(35);
    assertThat(breaker.allows()).isTrue();
    breaker.succeeded();
    assertThat(breaker.allows()).isTrue();
    assertThat(breaker.isOpen()).isFalse();
  }

  @Test
  void seenKeys_tooManyOrTooOld_areForgotten() {
    SeenKeys seen = new SeenKeys(2, 100, now::get);
    seen.add(key(1));
    seen.add(key(2));
    seen.add(key(1));
    seen.add(key(3));
    assertThat(seen.contains(key(2))).isFalse();
    assertThat(seen.contains(key(1))).isTrue();
    now.addAndGet(101);
    assertThat(seen.contains(key(1))).isFalse();
    assertThat(seen.size()).isEqualTo(1);
  }

  @Test
  void config_addresses_areReadOrRefusedInOneSentence() {
    RespTierConfig full = config("valkeys://u%3A:p%40w@[::1]:7000/12");
    assertThat(full.user()).isEqualTo("u:");
    assertThat(full.password()).isEqualTo("p@w");
    assertThat(full.port()).isEqualTo(7000);
    assertThat(full.database()).isEqualTo(12);
    assertThat(full.tls()).isTrue();
    assertThat(full.toString()).doesNotContain("p@w").doesNotContain("p%40w");
    RespTierConfig bare = config("redis://store");
    assertThat(bare.user()).isNull();
    assertThat(bare.password()).isNull();
    assertThat(bare.place()).isEqualTo("store:6379");
    assertThat(config("redis://:a:b@h").password()).isEqualTo("a:b");
    assertRefused("http://store", "begins with redis:// or rediss://, not http");
    assertRefused("redis:store", "needs a host");
    assertRefused("redis://store:99999", "a port in 1..65535: store:99999");
    assertRefused("redis://geheim@store", "a name before the @ and no password");
    assertRefused("redis://store/x", "must be a number: /x");
    assertThatThrownBy(() -> RespTierConfig.of(URI.create("redis://h"), 512 << 20, "m"))
        .hasMessage(
            "a block of 536870912 bytes with its header of 64 exceeds the largest value of"
                + " 536870912 bytes");
  }

  private static RespTierConfig config(String uri) {
    return RespTierConfig.of(URI.create(uri), 4096, "m");
  }

  private static void assertRefused(String uri, String why) {
    assertThatThrownBy(() -> config(uri))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why)
        .hasMessageNotContaining("geheim");
  }
}
