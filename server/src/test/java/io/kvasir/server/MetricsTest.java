package io.kvasir.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What `/metrics` tells, after some requests.
@Timeout(120)
final class MetricsTest {
  private static final String PLAIN = "/v1/completions";

  private static Stories stories;
  private static String text;
  private static Map<String, Double> samples;

  @BeforeAll
  static void start() throws Exception {
    stories = Stories.start();
    String story = "The fox ran over the hill. ".repeat(12);
    for (String more : new String[] {"", "", ",\"cache_salt\":\"other\"", ",\"stream\":true"}) {
      stories.post(
          PLAIN,
          "{\"max_tokens\":4,\"ignore_eos\":true,\"prompt\":\"%s\"%s}".formatted(story, more));
    }
    stories.post(PLAIN, "{\"max_tokens\":1,\"prompt\":\"Hi\"}");
    stories.awaitIdle();
    // The engine publishes behind its steps.
    for (int i = 0; i < 200 && stories.engine.snapshot().load().running() > 0; i++) {
      Thread.sleep(10);
    }
    text = stories.get("/metrics").body();
    samples = parse(text);
  }

  @AfterAll
  static void stop() throws IOException {
    stories.close();
  }

  /// Samples by name and the labels that not all have; fails where a line is no exposition.
  private static Map<String, Double> parse(String text) {
    Map<String, Double> found = new HashMap<>();
    Set<String> types = new HashSet<>();
    for (String line : text.split("\n", -1)) {
      if (line.isEmpty()) {
        continue;
      }
      if (line.startsWith("# TYPE ")) {
        assertThat(types.add(line.split(" ", -1)[2])).as("one type only: " + line).isTrue();
        continue;
      }
      assertThat(line)
          .matches("[a-z0-9_:]+\\{model_name=\"kvasir-stories\",engine=\"0\"[^}]*} \\S+");
      String name = line.substring(0, line.indexOf('{'));
      boolean typed =
          types.contains(name) || types.contains(name.replaceFirst("_(bucket|sum|count)$", ""));
      assertThat(typed).as(line).isTrue();
      String labels =
          line.substring(line.indexOf('{'), line.indexOf('}'))
              .replace("{model_name=\"kvasir-stories\",engine=\"0\"", "");
      found.put(name + labels, Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)));
    }
    return found;
  }

  private static double sum(String start) {
    return samples.entrySet().stream()
        .filter(sample -> sample.getKey().startsWith(start))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }

  private static double value(String name) {
    Double value = samples.get(name);
    assertThat(value).as(name).isNotNull();
    return value == null ? Double.NaN : value;
  }

  @Test
  void blocks_states_sumToTheCapacity() {
    assertThat(sum("kvasir_kv_blocks,tier=\"device\""))
        .isEqualTo(value("kvasir_kv_capacity_blocks,tier=\"device\""))
        .isPositive();
  }

  @Test
  void bytes_areThoseOfTheBlocksAndInMemory() {
    double block = stories.engine.layout().blockBytes();
    assertThat(sum("kvasir_kv_bytes,tier=\"device\""))
        .isEqualTo(value("kvasir_kv_capacity_bytes,tier=\"device\""))
        .isEqualTo(block * value("kvasir_kv_capacity_blocks,tier=\"device\""));
    double used = block * value("kvasir_kv_blocks,tier=\"device\",state=\"cached\"");
    assertThat(value("kvasir_kv_bytes,tier=\"device\",state=\"cached\"")).isEqualTo(used);
    assertThat(value("kvasir_kv_resident_bytes"))
        .isGreaterThanOrEqualTo(used)
        .isLessThanOrEqualTo(value("kvasir_kv_capacity_bytes,tier=\"device\""));
    assertThat(sum("kvasir_kv_token_bytes")).isEqualTo(stories.engine.layout().bytesPerToken());
    assertThat(value("kvasir_kv_token_bytes,rows=\"keys\",format=\"f16\"")).isPositive();
  }

  @Test
  void promptTokens_sourcesAndMissReasons_sumUp() {
    double prompt = value("vllm:prompt_tokens_total");
    double computed = value("kvasir_prompt_tokens_by_source_total,source=\"computed\"");

    assertThat(sum("kvasir_prompt_tokens_by_source_total")).isEqualTo(prompt).isPositive();
    assertThat(sum("kvasir_prefix_miss_tokens_total")).isEqualTo(computed);
    assertThat(value("kvasir_prompt_tokens_by_source_total,source=\"hbm\"")).isPositive();
    assertThat(value("kvasir_prefix_miss_tokens_total,reason=\"new\"")).isPositive();
    assertThat(value("kvasir_prefix_miss_tokens_total,reason=\"salt\"")).isPositive();
    assertThat(value("kvasir_prefix_miss_tokens_total,reason=\"partial\"")).isPositive();
    assertThat(value("vllm:request_prompt_tokens_sum")).isEqualTo(prompt);
  }

  @Test
  void histograms_countWhatHappened() {
    assertThat(value("vllm:time_to_first_token_seconds_count")).isEqualTo(5);
    assertThat(value("vllm:request_generation_tokens_sum")).isEqualTo(17);
    assertThat(value("vllm:request_time_per_output_token_seconds_count")).isEqualTo(4);
    assertThat(value("vllm:inter_token_latency_seconds_count")).as("of streams").isEqualTo(3);
    assertThat(value("kvasir_step_seconds_count")).isGreaterThanOrEqualTo(4 + 3 + 3);
    assertThat(value("kvasir_step_seconds_sum"))
        .isGreaterThan(value("kvasir_host_stall_seconds_sum"));
    assertThat(value("vllm:iteration_tokens_total_sum")).isPositive();
    for (String name : new String[] {"vllm:e2e_request_latency_seconds", "kvasir_step_seconds"}) {
      assertThat(value(name + "_bucket,le=\"+Inf\"")).isEqualTo(value(name + "_count"));
    }
  }

  @Test
  void namesThatRoutersRead_areThere() {
    assertThat(samples)
        .containsKeys(
            "vllm:num_requests_running",
            "vllm:num_requests_waiting",
            "vllm:kv_cache_usage_perc",
            "vllm:num_preemptions_total",
            "vllm:prefix_cache_queries_total",
            "vllm:prefix_cache_hits_total",
            "vllm:request_success_total,finished_reason=\"length\"",
            "kvasir_snapshot_age_seconds");
    assertThat(text).contains("vllm:cache_config_info{", "vllm:lora_requests_info{");
    assertThat(value("vllm:kv_cache_usage_perc")).isZero();
  }

  @Test
  void scrape_whileTheEngineComputes_doesNotWaitForIt() throws Exception {
    var running =
        stories.client.sendAsync(
            stories.request(PLAIN, "{\"max_tokens\":400,\"ignore_eos\":true,\"prompt\":\"Once\"}"),
            java.net.http.HttpResponse.BodyHandlers.ofString());
    boolean seen = false;
    for (int i = 0; i < 500 && !seen; i++) {
      seen =
          stories
              .get("/metrics")
              .body()
              .contains(
                  "vllm:num_requests_running{model_name=\"kvasir-stories\",engine=\"0\"} 1\n");
    }
    assertThat(seen).as("a running request shows before it has ended").isTrue();
    assertThat(running.get().statusCode()).isEqualTo(200);
  }
}
