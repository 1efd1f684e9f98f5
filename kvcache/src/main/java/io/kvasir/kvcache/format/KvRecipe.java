package io.kvasir.kvcache.format;

/// How the layers of a model are cached: a format for keys, one for values, and which positions
/// stay exact beside the codes; each by layer.
public interface KvRecipe {

  /// The name used on the command line and in tables, which [#named] understands.
  String name();

  /// How one layer is cached.
  ///
  /// @param layer number among the layers that keep keys and values
  /// @param layers how many there are
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

  /// The recipe written as `name`.
  ///
  /// @throws IllegalArgumentException naming the value and what is known
  static KvRecipe named(String name) {
    return of(KvFormat.named(name));
  }

  /// The same for all layers.
  record Uniform(Formats formats) implements KvRecipe {
    @Override
    public String name() {
      return formats.keys().equals(formats.values())
          ? formats.keys().name()
          : formats.keys().name() + "/" + formats.values().name();
    }

    @Override
    public Formats of(int layer, int layers) {
      return formats;
    }
  }
}
