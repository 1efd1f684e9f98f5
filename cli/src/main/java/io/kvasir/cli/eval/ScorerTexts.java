package io.kvasir.cli.eval;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Request;
import io.kvasir.engine.SamplingOptions;
import io.kvasir.engine.TokenStream;
import io.kvasir.model.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/// Texts to train a pruning scorer with: what the model itself writes, cut into paragraphs with
/// notes between them, told as a user tells it. They share no fact, no name and no wording with the
/// questions of [RecallRun].
public final class ScorerTexts {
  private static final float TEMPERATURE = 0.8f;
  private static final int SENTENCES = 6;
  private static final double NOTES = 0.4;
  private static final String[] THINGS = {
    "the key of the cellar", "the colour of the boat", "the hour of the train",
        "the price of the lamp",
    "the name of the dog", "the road to the mill", "the weight of the stone",
        "the age of the captain",
    "the room of the guest", "the sign of the inn", "the date of the feast", "the depth of the well"
  };
  private static final String[] WORDS = {
    "red", "seven", "north", "Oxford", "silver", "Harriet", "midnight", "oak", "winter", "left"
  };

  private ScorerTexts() {}

  /// Lets the model write.
  ///
  /// @param count texts
  /// @param tokens of each, about
  /// @throws EvalException where the engine fails
  public static List<int[]> written(Engine engine, Tokenizer tokenizer, int count, int tokens)
      throws InterruptedException {
    int start = tokenizer.bosId().orElseGet(() -> tokenizer.eosId().orElse(0));
    List<TokenStream> streams = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      SamplingOptions sampling =
          SamplingOptions.GREEDY.withTemperature(TEMPERATURE).withSeed(i + 1L);
      streams.add(engine.submit(new Request(new int[] {start}, tokens, sampling, Set.of())));
    }
    RecallPrompts prompts = new RecallPrompts(tokenizer);
    SplittableRandom random = new SplittableRandom(1);
    List<int[]> texts = new ArrayList<>();
    for (TokenStream stream : streams) {
      int[] ids = new int[tokens];
      int length = 0;
      while (stream.advance()) {
        ids[length++] = stream.token();
      }
      RecallRun.checked(stream);
      texts.add(prompts.told(withNotes(prompts.text(Arrays.copyOf(ids, length)), random)));
    }
    return texts;
  }

  private static String withNotes(String text, SplittableRandom random) {
    List<String> paragraphs = new ArrayList<>();
    String[] sentences = text.replace('\n', ' ').split("(?<=[.!?]) +");
    for (int from = 0; from < sentences.length; from += SENTENCES) {
      int end = Math.min(sentences.length, from + SENTENCES);
      paragraphs.add(String.join(" ", Arrays.copyOfRange(sentences, from, end)));
      if (random.nextDouble() < NOTES) {
        paragraphs.add(note(random));
      }
    }
    return String.join("\n\n", paragraphs);
  }

  private static String note(SplittableRandom random) {
    String value =
        random.nextBoolean()
            ? String.valueOf(random.nextInt(10, 99_999))
            : WORDS[random.nextInt(WORDS.length)];
    return "Note: " + THINGS[random.nextInt(THINGS.length)] + " is " + value + ".";
  }
}
