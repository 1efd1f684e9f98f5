package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Which files of a repository make up the model that a name asks for.
///
/// 1. `OWNER/REPO:FILE` is that file; of a split GGUF all parts.
/// 2. `OWNER/REPO:QUANT` is the GGUF model with that quantization in its name, upper or lower case;
///    `Q4_K_XL` also finds `UD-Q4_K_XL`. Of a split model all parts.
/// 3. `OWNER/REPO` is the safetensors folder (configuration, tokenizer, weights, without duplicates
///    in other formats) where the repository has one, else the GGUF model first in this order, else
///    the only one: [#PREFERRED_QUANTS].
final class FileChoice {

  /// The order in which a quantization is chosen where none is named: first those that keep most of
  /// the quality in about 4.5 bits a weight, then larger, then smaller, then unquantized ones.
  static final List<String> PREFERRED_QUANTS =
      List.of(
          "Q4_K_M",
          "Q4_K_S",
          "Q5_K_M",
          "Q8_0",
          "Q5_K_S",
          "Q6_K",
          "UD-Q4_K_XL",
          "Q4_K_L",
          "IQ4_NL",
          "IQ4_XS",
          "Q4_0",
          "Q4_1",
          "MXFP4",
          "MXFP4_MOE",
          "Q5_0",
          "Q5_1",
          "Q3_K_L",
          "Q3_K_M",
          "BF16",
          "F16",
          "F32");

  private static final List<String> SMALL_FILES =
      List.of(
          "config.json",
          "generation_config.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "tokenizer.model",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "vocab.txt",
          "merges.txt",
          "chat_template.jinja",
          "chat_template.json");

  private static final String SAFETENSORS = ".safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final Pattern SHARD = Pattern.compile(".*-\\d+-of-\\d+\\.safetensors");
  private static final Pattern DUPLICATE_WEIGHTS =
      Pattern.compile("(consolidated|adapter_|pytorch_model|optimizer).*\\.safetensors");

  private FileChoice() {}

  /// The chosen files, small ones first.
  ///
  /// @param main the file that stands for the model: a GGUF (of a split one the first part), or
  ///   null where the whole folder does
  record Selection(List<RemoteFile> files, @Nullable RemoteFile main) {
    Selection {
      files = List.copyOf(files);
    }
  }

  /// @throws HubException where nothing fits, with what there is
  static Selection select(List<RemoteFile> files, ModelName name) throws HubException {
    if (name.selectsFile()) {
      return byFile(files, name);
    }
    if (name.selector() == null && hasSafetensors(files)) {
      return safetensors(files);
    }
    return gguf(files, name);
  }

  private static Selection byFile(List<RemoteFile> files, ModelName name) throws HubException {
    for (RemoteFile file : files) {
      if (file.path().equals(name.selector())) {
        return GgufName.isGguf(file.path())
            ? model(parts(files, GgufName.of(file.path()).stem()), name)
            : new Selection(List.of(file), file);
      }
    }
    List<String> ggufs = new ArrayList<>();
    for (RemoteFile file : files) {
      if (GgufName.isGguf(file.path())) {
        ggufs.add(file.path());
      }
    }
    throw new HubException(
        Kind.NOT_FOUND,
        name.repository()
            + " has no file '"
            + name.selector()
            + "'"
            + (ggufs.isEmpty() ? "" : "; it has " + shortList(ggufs)));
  }

  private static boolean hasSafetensors(List<RemoteFile> files) {
    boolean config = false;
    boolean weights = false;
    for (RemoteFile file : files) {
      config |= file.path().equals("config.json");
      weights |= isRootWeights(file.path());
    }
    return config && weights;
  }

  private static boolean isRootWeights(String path) {
    return path.endsWith(SAFETENSORS)
        && path.indexOf('/') < 0
        && !DUPLICATE_WEIGHTS.matcher(path).matches();
  }

  private static Selection safetensors(List<RemoteFile> files) {
    Map<String, RemoteFile> byPath = new LinkedHashMap<>();
    for (RemoteFile file : files) {
      byPath.put(file.path(), file);
    }
    List<RemoteFile> chosen = new ArrayList<>();
    for (RemoteFile file : files) {
      String path = file.path();
      if (SMALL_FILES.contains(path)
          || path.matches("additional_chat_templates/[^/]+\\.jinja")
          || path.matches("[^/]+\\.tiktoken")) {
        chosen.add(file);
      }
    }
    RemoteFile index = byPath.get(INDEX);
    RemoteFile single = byPath.get("model.safetensors");
    if (index != null) {
      chosen.add(index);
    }
    List<RemoteFile> weights = new ArrayList<>();
    for (RemoteFile file : files) {
      boolean wanted =
          index != null
              ? SHARD.matcher(file.path()).matches()
              : single == null || file.equals(single);
      if (wanted && isRootWeights(file.path())) {
        weights.add(file);
      }
    }
    weights.sort(Comparator.comparing(RemoteFile::path));
    chosen.addAll(weights);
    return new Selection(chosen, null);
  }

  private static Selection gguf(List<RemoteFile> files, ModelName name) throws HubException {
    Map<String, List<String>> stemsByQuant = stemsByQuant(files);
    if (stemsByQuant.isEmpty()) {
      throw noModel(files, name);
    }
    String selector = name.selector();
    List<String> stems =
        selector == null
            ? preferredStems(stemsByQuant, name)
            : stemsOf(selector, stemsByQuant, name);
    if (stems.size() > 1) {
      List<String> first = new ArrayList<>();
      for (String stem : stems) {
        first.add(parts(files, stem).getFirst().path());
      }
      throw new HubException(
          Kind.NO_MATCH,
          name
              + " fits several models; write "
              + name.repository()
              + ":FILE with one of "
              + shortList(first));
    }
    return model(parts(files, stems.getFirst()), name);
  }

  private static List<String> stemsOf(
      String selector, Map<String, List<String>> stemsByQuant, ModelName name) throws HubException {
    String quant = GgufName.canonical(selector);
    List<String> stems = stemsByQuant.getOrDefault(quant, List.of());
    if (stems.isEmpty()) {
      stems = stemsByQuant.getOrDefault("UD-" + quant, List.of());
    }
    if (stems.isEmpty()) {
      throw new HubException(
          Kind.NO_MATCH,
          name.repository() + " has no quantization '" + selector + "'; " + has(stemsByQuant));
    }
    return stems;
  }

  private static List<String> preferredStems(Map<String, List<String>> stemsByQuant, ModelName name)
      throws HubException {
    for (String quant : PREFERRED_QUANTS) {
      List<String> stems = stemsByQuant.get(quant);
      if (stems != null) {
        return stems;
      }
    }
    if (stemsByQuant.size() == 1) {
      return stemsByQuant.values().iterator().next();
    }
    throw new HubException(
        Kind.NO_MATCH,
        "write which quantization of "
            + name.repository()
            + " to take, as in "
            + name.repository()
            + ":QUANT; "
            + has(stemsByQuant));
  }

  private static Map<String, List<String>> stemsByQuant(List<RemoteFile> files) {
    Map<String, List<String>> byQuant = new LinkedHashMap<>();
    for (RemoteFile file : files) {
      if (GgufName.isGguf(file.path()) && !GgufName.isCompanion(file.path())) {
        GgufName parsed = GgufName.of(file.path());
        List<String> stems = byQuant.computeIfAbsent(parsed.quant(), q -> new ArrayList<>());
        if (!stems.contains(parsed.stem())) {
          stems.add(parsed.stem());
        }
      }
    }
    return byQuant;
  }

  private static List<RemoteFile> parts(List<RemoteFile> files, String stem) {
    List<RemoteFile> parts = new ArrayList<>();
    for (RemoteFile file : files) {
      if (GgufName.isGguf(file.path()) && GgufName.of(file.path()).stem().equals(stem)) {
        parts.add(file);
      }
    }
    parts.sort(Comparator.comparing(RemoteFile::path));
    return parts;
  }

  private static Selection model(List<RemoteFile> parts, ModelName name) throws HubException {
    int count = GgufName.of(parts.getFirst().path()).parts();
    for (int i = 0; i < parts.size(); i++) {
      GgufName part = GgufName.of(parts.get(i).path());
      if (parts.size() != count || part.part() != i + 1 || part.parts() != count) {
        throw new HubException(
            Kind.NO_MATCH,
            name
                + " is incomplete: "
                + parts.size()
                + " of "
                + count
                + " parts of "
                + part.stem()
                + " are there");
      }
    }
    return new Selection(parts, parts.getFirst());
  }

  private static HubException noModel(List<RemoteFile> files, ModelName name) {
    Optional<String> other =
        files.stream()
            .map(RemoteFile::path)
            .filter(path -> path.matches("(?i).*\\.(bin|pth|pt|onnx|h5|msgpack|ckpt)"))
            .findFirst();
    String why;
    if (name.selector() != null && hasSafetensors(files)) {
      why =
          " has safetensors weights and no GGUF file: write it without ':" + name.selector() + "'";
    } else if (other.isPresent()) {
      why =
          " has no safetensors or GGUF weights, only others such as "
              + other.get()
              + ": look for a conversion of it on the hub";
    } else {
      why = " has no safetensors or GGUF weights among its " + files.size() + " files";
    }
    return new HubException(Kind.NO_MATCH, name.repository() + why);
  }

  private static String has(Map<String, List<String>> stemsByQuant) {
    TreeSet<String> quants = new TreeSet<>(stemsByQuant.keySet());
    if (quants.remove("")) {
      quants.add("(unnamed: write the file)");
    }
    return "it has " + shortList(List.copyOf(quants));
  }

  private static String shortList(List<String> items) {
    int most = 40;
    String text = String.join(", ", items.subList(0, Math.min(most, items.size())));
    return items.size() > most ? text + " and " + (items.size() - most) + " more" : text;
  }
}
