// The list of kernels for what rows share, filled by attention_shared_list.cu, and lists of runs.
#pragma once
#include "harness.h"

#include "../../main/cuda/attention_shared.cuh"

struct SharedEntry {
  const char* name;
  twin::Format keys, values;
  int dim;
  void (*kernel)(const kvasir::SharedCall);
  int shared;
};

std::vector<SharedEntry>& sharedEntries();

/// Rows first .. first + rows - 1 hold positions from .. to - 1 in the same blocks.
struct SharedNode {
  int first, rows, from, to;
};

/// What the host lists: runs of at most `tokens`, rows in parts of `rowsOfItem`; nodes of a row
/// follow each other. `sharedTo` and `sharedRuns` by row.
struct SharedLists {
  std::vector<kvasir::SharedItem> items;
  std::vector<int> sharedTo, sharedRuns;

  SharedLists(const std::vector<SharedNode>& nodes, int rows, int tokens, int rowsOfItem,
              const std::function<int(int)>& tableOfRow)
      : sharedTo(rows), sharedRuns(rows) {
    for (const SharedNode& node : nodes) {
      int shift = sharedRuns[node.first];
      for (int from = node.from; from < node.to; shift++) {
        int end = std::min(from + tokens, node.to);
        for (int row = node.first; row < node.first + node.rows; row += rowsOfItem) {
          int count = std::min(rowsOfItem, node.first + node.rows - row);
          items.push_back({row, count, tableOfRow(row), from, end, shift, 0, 0});
        }
        from = end;
      }
      for (int row = node.first; row < node.first + node.rows; row++) {
        sharedTo[row] = node.to, sharedRuns[row] = shift;
      }
    }
  }
};

/// Blocks of threads side by side that an item of `rows` rows may need for each kv head.
inline int sharedParts(int rows, int groupSize, int D) {
  int columns = kvasir::WARPS * kvasir::COLUMNS * (D <= 128 ? 2 : 1);
  return (rows * groupSize + columns - 1) / columns;
}
