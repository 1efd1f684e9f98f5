package io.kvasir.model.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.net.URI;
import java.net.http.HttpHeaders;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HubErrorsTest {

  private static HttpHeaders headers(String name, String value) {
    return HttpHeaders.of(Map.of(name, List.of(value)), (a, b) -> true);
  }

  @Test
  void wantedPause_secondsDateAndRateLimit() {
    assertThat(HubErrors.wantedPause(headers("Retry-After", " 7 ")))
        .contains(Duration.ofSeconds(7));
    assertThat(HubErrors.wantedPause(headers("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")))
        .contains(Duration.ZERO);
    assertThat(HubErrors.wantedPause(headers("RateLimit", "\"api\";r=0;t=55")))
        .contains(Duration.ofSeconds(55));
    assertThat(HubErrors.wantedPause(headers("Retry-After", "soon"))).isEmpty();
    assertThat(HubErrors.wantedPause(headers("Retry-After", "99999999999999999999"))).isEmpty();
    assertThat(HubErrors.wantedPause(headers("X", "1"))).isEmpty();
  }

  @Test
  void config_badEndpointOrToken_isNamedAndTheTokenIsNot() {
    HubConfig config = HubConfig.of(Path.of("x"));
    for (String bad : List.of("ftp://a", "nonsense", "http:///x", "https://a/?q=1")) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> config.withEndpoint(URI.create(bad)))
          .withMessageContaining(bad);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> config.withToken("hf_a\nX-Evil: 1"))
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("hf_a"));
    assertThat(config.withToken("hf_secret")).asString().doesNotContain("hf_secret");
    assertThat(config.withToken("  ").token()).isNull();
    assertThat(config.withEndpoint(URI.create("https://mirror.example/hf//")).endpoint())
        .hasToString("https://mirror.example/hf");
  }

  @Test
  void size_unitsUpToExbibytes() {
    assertThat(StorageErrors.size(1023)).isEqualTo("1023 B");
    assertThat(StorageErrors.size(1536)).isEqualTo("1.5 KiB");
    assertThat(StorageErrors.size(3L << 30)).isEqualTo("3.0 GiB");
    assertThat(StorageErrors.size(Long.MAX_VALUE)).isEqualTo("8.0 EiB");
  }
}
