package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.hub.HubConfig;
import io.kvasir.model.hub.HubProxy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HubSettingsTest {
  @TempDir Path folder;

  @Test
  void nothingSet_isThePublicHubAndTheSharedCache() {
    HubConfig config = HubSettings.of(Map.of("HOME", folder.toString()));

    assertThat(config.endpoint()).hasHost("huggingface.co");
    assertThat(config.cacheFolder()).isEqualTo(folder.resolve(".cache/huggingface/hub"));
    assertThat(config.token()).isNull();
    assertThat(config.offline()).isFalse();
  }

  @Test
  void variables_win() throws IOException {
    Files.writeString(folder.resolve("token"), " hf_file \n");
    Map<String, String> environment =
        Map.of(
            "HF_HOME",
            folder.toString(),
            "HF_ENDPOINT",
            "http://localhost:99/",
            "HF_HUB_OFFLINE",
            "1");

    HubConfig config = HubSettings.of(environment);

    assertThat(config.endpoint()).hasToString("http://localhost:99");
    assertThat(config.cacheFolder()).isEqualTo(folder.resolve("hub"));
    assertThat(config.token()).isEqualTo("hf_file");
    assertThat(config.offline()).isTrue();
  }

  @Test
  void endpointThatIsNone_namesTheVariable() {
    Map<String, String> environment = Map.of("HF_ENDPOINT", "ftp://x");

    assertThatThrownBy(() -> HubSettings.of(environment))
        .isInstanceOf(FailureException.class)
        .hasMessageContaining("HF_ENDPOINT")
        .hasMessageContaining("ftp://x");
  }

  @Test
  void proxy_isTakenWithItsExceptions() {
    Map<String, String> environment =
        Map.of("https_proxy", "http://proxy.corp:3128", "NO_PROXY", "localhost,.corp");

    assertThat(HubSettings.of(environment).proxy())
        .isEqualTo(new HubProxy("proxy.corp", 3128, List.of("localhost", ".corp")));
    assertThat(HubSettings.of(Map.of("ALL_PROXY", "proxy")).proxy())
        .isEqualTo(new HubProxy("proxy", 80, List.of()));
    assertThat(HubSettings.of(Map.of("ALL_PROXY", "socks5://proxy:1080")).proxy()).isNull();
    assertThat(HubSettings.of(Map.of()).proxy()).isNull();
    assertThatThrownBy(() -> HubSettings.of(Map.of("HTTPS_PROXY", "http://a b")))
        .isInstanceOf(FailureException.class)
        .hasMessageContaining("http://a b");
  }
}
