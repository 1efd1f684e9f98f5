package io.kvasir.model.tokenizer;

import io.kvasir.model.file.FuzzCorpus;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class FuzzedTokenizersTest {
  @Test
  @Timeout(60)
  void read_everyInputOfTheCorpus_isReadOrRefused() throws IOException {
    FuzzCorpus.forEach("tokenizer", TokenizerFuzzTarget::fuzzerTestOneInput);
  }
}
