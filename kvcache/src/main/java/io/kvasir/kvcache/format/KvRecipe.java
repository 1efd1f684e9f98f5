package io.kvasir.kvcache.format;

import java.util.ArrayList;
import java.util.List;

/// How the layers of a model are cached: a format for keys, one for values, and which positions
/// stay exact beside the codes; each by layer.
public interface KvRecipe {

  /// The name used on the command line and in tables, which [#named] understands.
  String name();

  /// How one layer is cached.
  ///
  /// @param layer number among the layers that keep keys and values
  /// @param layers how many there are
  /// @throws IllegalArgumentException where the recipe names a layer that does not exist
  Formats of(int layer, int layers);

  /// Formats of one layer.
  record Formats(KvFormat keys, KvFormat values, ExactRows exact) {}

  /// All layers alike, nothing exact beside.
  static KvRecipe of(KvFormat keys, KvFormat values) {
    return new Uniform(new Formats(keys, values, ExactRows.NONE));
  }

  /// All layers alike.
  static KvRecipe of(KvFormat format) {
    return of(format, format);
  }

  /// The recipe written as `name`:
  ///
  /// - a [KvFormat], such as `int4`, for keys and values of all layers,
  /// - two, `KEYS/VALUES`, such as `int8/int4`, or a short name for two: `k8v4`, `k6v4`, `k5v4`,
  ///   `k4v2`, `k3v3`, `k2v2`,
  /// - either with `+sNtM`: the first N and at least the last M positions stay exact, on a grid of
  ///   64; `+s0` keeps none, and without it each format has the exact positions that it needs,
  /// - and with other recipes for some layers, `int4[0,1=int8;-1=k8v4]`: layers count from 0 among
  ///   those that have a cache, -1 is the last.
  ///
  /// @throws IllegalArgumentException naming the value and what is known
  static KvRecipe named(String name) {
    return RecipeNames.parse(name);
  }

  /// Whether `name` asks for the recipe that a probe of a model finds best: `auto`, or `auto:` and
  /// a budget. [#named] does not know it.
  static boolean isAuto(String name) {
    return name.equals("auto") || name.startsWith("auto:");
  }

  /// What may be chosen, in a sentence.
  static String choices() {
    return RecipeNames.choices();
  }

  /// The names in a list with commas between them; commas inside brackets belong to a name.
  static List<String> split(String list) {
    List<String> names = new ArrayList<>();
    int depth = 0;
    int from = 0;
    for (int i = 0; i < list.length(); i++) {
      char c = list.charAt(i);
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (c == ',' && depth <= 0) {
        names.add(list.substring(from, i).strip());
        from = i + 1;
      }
    }
    names.add(list.substring(from).strip());
    return names;
  }

  /// The same for all layers.
  record Uniform(Formats formats) implements KvRecipe {
    @Override
    public String name() {
      return RecipeNames.of(formats);
    }

    @Override
    public Formats of(int layer, int layers) {
      return formats;
    }
  }

  /// Other formats for some layers.
  ///
  /// @param base for the layers that are not named
  /// @param others for those that are; of several for one layer the last holds
  record PerLayer(Formats base, List<Layers> others) implements KvRecipe {

    /// Formats of some layers.
    ///
    /// @param numbers from 0, or from -1 for the last down
    public record Layers(List<Integer> numbers, Formats formats) {
      public Layers {
        numbers = List.copyOf(numbers);
      }
    }

    public PerLayer {
      others = List.copyOf(others);
    }

    @Override
    public String name() {
      return RecipeNames.of(this);
    }

    @Override
    public Formats of(int layer, int layers) {
      Formats formats = base;
      for (Layers other : others) {
        for (int number : other.numbers()) {
          if (number >= layers || number < -layers) {
            throw new LayerNumberException(name(), number, layers);
          }
          if (number == layer || number + layers == layer) {
            formats = other.formats();
          }
        }
      }
      return formats;
    }
  }
}
