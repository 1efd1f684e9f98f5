package io.kvasir.compute.quant;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The codebooks of the IQ formats: short vectors of small integers, chosen by the authors of GGML
/// to lie densely where weights do (a lattice, as in "QuIP#", Tseng et al. 2024).
///
/// They are kept packed in `codebooks.txt`, 9 KB, and unpacked on first use to one byte a value.
final class Codebooks {
  /// 256 x 8 values.
  static final byte[] IQ2_XXS;

  /// 512 x 8 values.
  static final byte[] IQ2_XS;

  /// 1024 x 8 values.
  static final byte[] IQ2_S;

  /// 256 x 4 values.
  static final byte[] IQ3_XXS;

  /// 512 x 4 values.
  static final byte[] IQ3_S;

  /// 2048 x 8 values of -1, 0, 1.
  static final byte[] IQ1;

  static {
    Map<String, byte[]> books = load();
    IQ2_XXS = book(books, "IQ2_XXS");
    IQ2_XS = book(books, "IQ2_XS");
    IQ2_S = book(books, "IQ2_S");
    IQ3_XXS = book(books, "IQ3_XXS");
    IQ3_S = book(books, "IQ3_S");
    IQ1 = book(books, "IQ1");
  }

  private Codebooks() {}

  private static byte[] book(Map<String, byte[]> books, String name) {
    byte[] book = books.get(name);
    if (book == null) {
      throw new IllegalStateException("codebooks.txt has no section " + name);
    }
    return book;
  }

  private static Map<String, byte[]> load() {
    try (InputStream in = Codebooks.class.getResourceAsStream("codebooks.txt")) {
      if (in == null) {
        throw new IllegalStateException("codebooks.txt is missing from the program");
      }
      return parse(new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII)));
    } catch (IOException e) {
      throw new UncheckedIOException("codebooks.txt cannot be read", e);
    }
  }

  private static Map<String, byte[]> parse(BufferedReader lines) throws IOException {
    Map<String, byte[]> books = new HashMap<>();
    String header = null;
    StringBuilder base64 = new StringBuilder();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("#")) {
        continue;
      }
      if (line.indexOf(' ') < 0) {
        base64.append(line);
        continue;
      }
      if (header != null) {
        unpack(header, base64.toString(), books);
      }
      header = line;
      base64.setLength(0);
    }
    if (header != null) {
      unpack(header, base64.toString(), books);
    }
    return books;
  }

  private static void unpack(String header, String base64, Map<String, byte[]> books) {
    List<String> fields = List.of(header.split(" ", 4));
    String[] levels = fields.get(3).split(",", -1);
    int bits = levels.length > 4 ? 4 : 2;
    int perByte = 8 / bits;
    byte[] packed = Base64.getDecoder().decode(base64);
    byte[] values = new byte[Integer.parseInt(fields.get(1)) * Integer.parseInt(fields.get(2))];
    for (int i = 0; i < values.length; i++) {
      int code = packed[i / perByte] >> bits * (i % perByte) & (1 << bits) - 1;
      values[i] = Byte.parseByte(levels[code]);
    }
    books.put(fields.getFirst(), values);
  }
}
