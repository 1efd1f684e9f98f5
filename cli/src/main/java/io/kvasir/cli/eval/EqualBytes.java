package io.kvasir.cli.eval;

import io.kvasir.model.json.Json;
import io.kvasir.model.plan.TextTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What recalls most within the same memory: formats alone, policies alone, and both together.
/// Bytes are those of allocated blocks: codes, scales, exact rows, padding.
final class EqualBytes {
  private static final double[] BUDGETS = {
    1 / 2., 1 / 3., 1 / 4., 1 / 6., 1 / 8., 1 / 12., 1 / 16.
  };

  /// A block that is not full or an exact window makes no difference to what a budget is.
  private static final double TOLERANCE = 1.03;

  private final List<RecallRow> rows;
  private final double full;

  /// @param full bytes per token of the f16 cache
  EqualBytes(List<RecallRow> rows, double full) {
    this.rows = rows;
    this.full = full;
  }

  /// The row that recalls most within the budget, the smallest of equal ones; null where none fits.
  ///
  /// @param coded whether other formats than f16 are looked at, and no others
  /// @param pruned whether rows with a policy are, and no others
  @Nullable RecallRow best(double budget, boolean coded, boolean pruned) {
    RecallRow best = null;
    for (RecallRow row : rows) {
      boolean fits = row.score().bytesPerToken() <= budget * full * TOLERANCE;
      boolean kind = coded != row.format().equals("f16") && pruned != row.policy().isEmpty();
      if (fits && kind && (best == null || isBetter(row, best))) {
        best = row;
      }
    }
    return best;
  }

  private static boolean isBetter(RecallRow row, RecallRow other) {
    int right = row.score().right();
    int otherRight = other.score().right();
    return right > otherRight
        || right == otherRight && row.score().bytesPerToken() < other.score().bytesPerToken();
  }

  TextTable table() {
    TextTable table = new TextTable(List.of("at most", "format only", "pruned only", "both"));
    for (double budget : BUDGETS) {
      List<String> cells = new ArrayList<>();
      cells.add(Figures.percent(budget) + " of f16");
      cells.add(cell(best(budget, true, false)));
      cells.add(cell(best(budget, false, true)));
      cells.add(cell(best(budget, true, true)));
      table.add(cells);
    }
    return table;
  }

  Json json() {
    List<Json> budgets = new ArrayList<>();
    for (double budget : BUDGETS) {
      Map<String, Json> fields = new LinkedHashMap<>();
      fields.put("of_f16", Figures.json(budget));
      fields.put("format_only", json(best(budget, true, false)));
      fields.put("pruned_only", json(best(budget, false, true)));
      fields.put("both", json(best(budget, true, true)));
      budgets.add(new Json.Obj(fields));
    }
    return new Json.Arr(budgets);
  }

  private static Json json(@Nullable RecallRow row) {
    if (row == null) {
      return Json.Null.NULL;
    }
    Map<String, Json> fields = new LinkedHashMap<>();
    fields.put("name", new Json.Str(row.name()));
    fields.put("held_bytes_per_token", Figures.json(row.score().bytesPerToken()));
    fields.put("recall", Figures.json(row.score().share()));
    fields.put("of_full", Figures.json(row.shareOfFull()));
    return new Json.Obj(fields);
  }

  private static String cell(@Nullable RecallRow row) {
    return row == null ? "-" : row.name() + " " + Figures.percent(row.score().share());
  }
}
