package io.kvasir.model.template;

import io.kvasir.model.file.FuzzCorpus;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

final class FuzzedTemplatesTest {
  @Test
  @Timeout(60)
  void render_everyInputOfTheCorpus_isRenderedOrRefused() throws IOException {
    FuzzCorpus.forEach("template", TemplateFuzzTarget::fuzzerTestOneInput);
  }
}
