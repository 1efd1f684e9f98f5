package io.kvasir.cli.eval;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.ToIntFunction;

/// A long text in one or several turns, with facts spread over it evenly.
///
/// @param length tokens aimed at, over all turns
/// @param turns what is told, turn by turn
/// @param facts in order of depth
public record RecallContext(int length, List<String> turns, List<Fact> facts) {
  private static final List<String> NAMES =
      List.of(
          "Lily", "Tom", "Ben", "Mia", "Sam", "Anna", "Max", "Lucy", "Tim", "Sara", "Jack", "Emma",
          "Leo", "Zoe", "Finn", "Ella", "Noah", "Amy", "Sue", "Bob");

  private static final List<String> WORDS =
      List.of(
          "apple", "river", "candle", "tiger", "button", "castle", "pepper", "rocket", "violin",
          "pillow", "garden", "mirror", "basket", "lantern", "pebble", "feather");

  /// Most facts of a context: every second one is a word, and no word occurs twice.
  public static final int MOST_FACTS = 2 * WORDS.size();

  /// How contexts are made.
  ///
  /// @param lengths tokens of each kind of context
  /// @param each contexts of each length; every second one of all is told in two turns
  /// @param facts in each context
  /// @param seed equal seeds make equal contexts
  public record Plan(List<Integer> lengths, int each, int facts, long seed) {
    public Plan {
      lengths = List.copyOf(lengths);
      if (facts < 1 || facts > MOST_FACTS) {
        throw new IllegalArgumentException("1 to " + MOST_FACTS + " facts, not " + facts);
      }
    }
  }

  /// Makes contexts of stories and facts.
  ///
  /// @param tokens counts the tokens of a text
  public static List<RecallContext> make(Plan plan, ToIntFunction<String> tokens) {
    List<RecallContext> contexts = new ArrayList<>();
    for (int length : plan.lengths()) {
      for (int i = 0; i < plan.each(); i++) {
        Random random = new Random(plan.seed() + 1000L * length + i);
        int turns = 1 + (i + plan.lengths().indexOf(length)) % 2;
        contexts.add(make(length, turns, plan.facts(), random, tokens));
      }
    }
    return contexts;
  }

  private static RecallContext make(
      int length, int turns, int count, Random random, ToIntFunction<String> tokens) {
    List<Fact> facts = facts(count, random);
    int room = length;
    for (Fact fact : facts) {
      room -= tokens.applyAsInt(fact.statement() + "\n");
    }
    List<String> filler = filler(room, random, tokens);
    List<String> told = new ArrayList<>();
    List<Fact> placed = new ArrayList<>();
    int next = 0;
    for (int turn = 0; turn < turns; turn++) {
      StringBuilder text = new StringBuilder();
      int from = filler.size() * turn / turns;
      int to = filler.size() * (turn + 1) / turns;
      for (int i = from; i <= to; i++) {
        boolean last = i == to;
        while (next < count && isDue(next, count, i, filler.size())) {
          text.append(facts.get(next).statement()).append('\n');
          placed.add(facts.get(next++));
        }
        if (!last) {
          text.append(filler.get(i)).append('\n');
        }
      }
      told.add(text.toString().strip());
    }
    return new RecallContext(length, told, placed);
  }

  /// Whether fact `index` stands before paragraph `at`.
  private static boolean isDue(int index, int count, int at, int paragraphs) {
    return (2L * index + 1) * paragraphs <= 2L * count * at;
  }

  private static List<Fact> facts(int count, Random random) {
    List<String> numbersOf = shuffled(NAMES, random);
    List<String> wordsOf = shuffled(NAMES, random);
    List<String> words = shuffled(WORDS, random);
    List<Fact> facts = new ArrayList<>();
    List<String> numbers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double depth = (i + 0.5) / count;
      if (i % 2 == 1) {
        facts.add(new Fact("word", wordsOf.get(i / 2), words.get(i / 2), depth));
        continue;
      }
      String number;
      do {
        number = String.valueOf(1000 + random.nextInt(9000));
      } while (numbers.contains(number));
      numbers.add(number);
      facts.add(new Fact("number", numbersOf.get(i / 2), number, depth));
    }
    return facts;
  }

  /// Paragraphs of stories, about `room` tokens.
  private static List<String> filler(int room, Random random, ToIntFunction<String> tokens) {
    List<String> paragraphs = new ArrayList<>();
    List<String> left = new ArrayList<>();
    int used = 0;
    while (used < room) {
      if (left.isEmpty()) {
        left.addAll(shuffled(Texts.parts("stories"), random));
      }
      for (String sentences : halves(left.removeLast())) {
        int cost = tokens.applyAsInt(sentences + "\n");
        if (used < room) {
          paragraphs.add(sentences);
        }
        used += cost;
      }
    }
    return paragraphs;
  }

  /// A story in pieces of two sentences or so, between which facts may stand.
  private static List<String> halves(String story) {
    List<String> pieces = new ArrayList<>();
    StringBuilder piece = new StringBuilder();
    for (String sentence : story.split("(?<=[.!?]\"?) ", -1)) {
      piece.append(piece.isEmpty() ? "" : " ").append(sentence);
      if (piece.length() > 160) {
        pieces.add(piece.toString());
        piece.setLength(0);
      }
    }
    if (!piece.isEmpty()) {
      pieces.add(piece.toString());
    }
    return pieces;
  }

  private static List<String> shuffled(List<String> list, Random random) {
    List<String> copy = new ArrayList<>(list);
    Collections.shuffle(copy, random);
    return copy;
  }
}
