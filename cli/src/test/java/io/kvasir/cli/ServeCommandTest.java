package io.kvasir.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What `kvasir serve` says where it cannot serve.
@Timeout(60)
final class ServeCommandTest {
  @Test
  void host_notLoopbackWithoutKey_isRefused() {
    Shell.Outcome outcome = Shell.run("serve", "--host", "0.0.0.0");

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.err())
        .isEqualTo(
            "kvasir: --host 0.0.0.0 lets other machines in; give --api-key-file or --api-key as well"
                + System.lineSeparator());
  }

  @Test
  void port_outOfRange_isRefused() {
    Shell.Outcome outcome = Shell.run("serve", "--port", "70000");

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.err()).contains("the port must be 0 to 65535, not 70000");
  }

  @Test
  void keyFile_empty_isRefused(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("key"), "\n");
    Shell.Outcome outcome = Shell.run("serve", "--api-key-file", file.toString());

    assertThat(outcome.exitCode()).isEqualTo(2);
    assertThat(outcome.err()).contains("holds no API key");
  }

  @Test
  void port_inUse_isOneSentence() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      Shell.Outcome outcome = Shell.run("serve", "--port", port);

      assertThat(outcome.exitCode()).isEqualTo(1);
      assertThat(outcome.err())
          .startsWith("kvasir: cannot listen on 127.0.0.1 port " + port + " (")
          .contains("choose another with --port")
          .hasLineCount(1);
    }
  }
}
