package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvProfile;
import io.kvasir.model.Model;
import io.kvasir.model.ModelConfig;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Where the [KvProfile] of a model comes from, which formats that centre keys need: measured once
/// by [Calibration] and kept in a file per model.
///
/// @param folder where profiles are kept; null to measure each time
/// @param measured false to take zeros for means, which is good enough to measure speed
/// @param notice is told, in a sentence, when a profile has to be measured
public record KeyProfiles(@Nullable Path folder, boolean measured, Consumer<String> notice) {
  /// Measured when a model is opened, kept nowhere.
  public static final KeyProfiles MEASURED = new KeyProfiles(null, true, text -> {});

  /// All means are zero.
  public static final KeyProfiles ZERO = new KeyProfiles(null, false, text -> {});

  private static final System.Logger LOG = System.getLogger(KeyProfiles.class.getName());

  /// The profile for a cache of this layout; [KvProfile#NONE] where it takes nothing from one.
  public KvProfile of(Model model, Backend backend, KvLayout layout) {
    if (!Calibration.isNeeded(layout)) {
      return KvProfile.NONE;
    }
    if (!measured) {
      return zero(layout);
    }
    Path file = file(model.path(), model.config(), backend.arithmetic(), ".keys");
    KvProfile stored = file == null ? null : ProfileFile.read(file, shape(layout));
    if (stored != null) {
      return stored;
    }
    notice.accept("measuring the model's mean keys, once, for caches of few bits");
    KvProfile profile = Calibration.measure(model.transformer(), backend, tokenizer(model.path()));
    if (file != null) {
      try {
        ProfileFile.write(file, profile, shape(layout));
      } catch (IOException e) {
        LOG.log(System.Logger.Level.DEBUG, () -> "event=profile_not_kept error=" + e);
      }
    }
    return profile;
  }

  /// A file for what was measured of a model, beside those of other models; null where nothing is
  /// kept.
  ///
  /// @param arithmetic name of the backend
  /// @param ending tells the file from others of the model
  public @Nullable Path file(Path model, ModelConfig config, String arithmetic, String ending) {
    return folder == null
        ? null
        : folder.resolve(ModelFingerprint.ofRows(model, config, arithmetic) + ending);
  }

  /// `{heads, elements}` of each layer's keys.
  private static int[][] shape(KvLayout layout) {
    int[][] shape = new int[layout.layerCount()][];
    for (int layer = 0; layer < shape.length; layer++) {
      LayerKv kv = layout.kv(layer);
      shape[layer] = new int[] {kv.kvHeads(), kv.keyDim()};
    }
    return shape;
  }

  private static KvProfile zero(KvLayout layout) {
    int[][] shape = shape(layout);
    float[][][] means = new float[shape.length][][];
    for (int layer = 0; layer < means.length; layer++) {
      means[layer] = new float[shape[layer][0]][shape[layer][1]];
    }
    return new KvProfile("zero", means);
  }

  /// The model's tokenizer, or null where it has none that can be read.
  private static @Nullable Tokenizer tokenizer(Path model) {
    try {
      if (Files.isDirectory(model)) {
        return Tokenizer.fromFolder(model);
      }
      try (GgufFile file = GgufFile.open(model)) {
        return Tokenizer.fromGguf(file.metadata().forTokenizer());
      }
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.DEBUG, () -> "event=profile_without_tokenizer error=" + e);
      return null;
    }
  }
}
