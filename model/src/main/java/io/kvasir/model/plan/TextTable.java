package io.kvasir.model.plan;

import java.util.ArrayList;
import java.util.List;

/// Columns of text, the first left-aligned and the others to the right.
public final class TextTable {
  private static final String GAP = "  ";

  private final List<List<String>> rows = new ArrayList<>();

  public TextTable(List<String> head) {
    rows.add(List.copyOf(head));
  }

  public void add(List<String> row) {
    if (row.size() != rows.getFirst().size()) {
      throw new IllegalArgumentException(
          row.size() + " cells under " + rows.getFirst().size() + " columns");
    }
    rows.add(List.copyOf(row));
  }

  public void append(StringBuilder out) {
    int[] widths = new int[rows.getFirst().size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        String padding = " ".repeat(widths[i] - row.get(i).length());
        line.append(i == 0 ? row.get(i) + padding : GAP + padding + row.get(i));
      }
      out.append(line.toString().stripTrailing()).append('\n');
    }
  }
}
