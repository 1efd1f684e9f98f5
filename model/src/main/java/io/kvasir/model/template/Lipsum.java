package io.kvasir.model.template;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/// Filler text for `lipsum`; random, so that only its shape is defined.
final class Lipsum {
  private static final String[] WORDS = {
    "lorem", "ipsum", "dolor", "sit", "amet", "consectetuer", "adipiscing", "elit", "sed", "nulla",
    "magna", "porta", "quis", "urna", "vel", "arcu", "felis", "nec", "odio", "tellus"
  };

  private Lipsum() {}

  static Value text(Rendering rt, Signature.Bound a) {
    int paragraphs = Math.clamp(a.integer(0, 5), 0, 1_000);
    boolean html = a.truth(1, true);
    int min = Math.clamp(a.integer(2, 20), 1, 10_000);
    int max = Math.clamp(a.integer(3, 100), min + 1, 20_000);
    List<String> out = new ArrayList<>();
    for (int i = 0; i < paragraphs; i++) {
      int words = ThreadLocalRandom.current().nextInt(min, max);
      rt.budget().characters(14L * words);
      StringBuilder text = new StringBuilder();
      for (int w = 0; w < words; w++) {
        String word = WORDS[ThreadLocalRandom.current().nextInt(WORDS.length)];
        text.append(w == 0 ? "" : " ").append(w == 0 ? Strings.capitalize(word) : word);
      }
      text.append('.');
      out.add(html ? "<p>" + text + "</p>" : text.toString());
    }
    return new Str(String.join(html ? "\n" : "\n\n", out), html);
  }
}
