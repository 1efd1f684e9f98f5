package io.kvasir.model.hub;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What the name of a GGUF file tells: its quantization and its place in a split model.
///
/// @param stem the path without `.gguf` and without the part number; equal for all parts of a model
/// @param quant the quantization in upper case, such as `Q4_K_M` or `UD-Q4_K_XL`; empty where the
///   name has none
/// @param part number of the part, from 1
/// @param parts count of parts; 1 for a model in one file
record GgufName(String stem, String quant, int part, int parts) {
  private static final Pattern SPLIT =
      Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})", Pattern.CASE_INSENSITIVE);
  private static final Pattern QUANT =
      Pattern.compile(
          "(?<![A-Za-z0-9])((?:UD-)?(?:I?Q[1-8](?:_[A-Z0-9]{1,3})*|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4"
              + "|BF16|FP?16|FP?32))(?![A-Za-z0-9_])",
          Pattern.CASE_INSENSITIVE);

  static boolean isGguf(String path) {
    return path.toLowerCase(Locale.ROOT).endsWith(".gguf");
  }

  /// True where the file accompanies a model and is none: a vision projector, an importance matrix,
  /// a vocabulary or a draft head.
  static boolean isCompanion(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1).toLowerCase(Locale.ROOT);
    return name.startsWith("mmproj") || name.contains("-mmproj") || name.contains("imatrix");
  }

  static GgufName of(String path) {
    String stem = path.substring(0, path.length() - ".gguf".length());
    int part = 1;
    int parts = 1;
    Matcher split = SPLIT.matcher(stem);
    if (split.matches()) {
      stem = split.group(1);
      part = Integer.parseInt(split.group(2));
      parts = Integer.parseInt(split.group(3));
    }
    String quant = quantIn(stem.substring(stem.lastIndexOf('/') + 1));
    return new GgufName(stem, quant.isEmpty() ? quantIn(stem) : quant, part, parts);
  }

  private static String quantIn(String text) {
    String found = "";
    Matcher matcher = QUANT.matcher(text);
    while (matcher.find()) {
      found = matcher.group(1);
    }
    return canonical(found);
  }

  /// `quant` in the spelling that [#quant] has.
  static String canonical(String quant) {
    String upper = quant.toUpperCase(Locale.ROOT);
    return switch (upper) {
      case "FP16" -> "F16";
      case "FP32" -> "F32";
      default -> upper;
    };
  }
}
