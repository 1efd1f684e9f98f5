package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import org.jspecify.annotations.Nullable;

/// What a step reads in layers of the same groups, listed on the device.
final class RunLists {
  final DeviceArray memory;
  @Nullable AttentionMetadata batch;
  long step = -1;
  long attempt = -1;
  int capacity;
  int prompts;
  int promptTiles;
  int slots;
  boolean decodes;
  int sharedItems;
  long codes;
  long tail;
  long sinks;
  long prefills;
  long expansions;
  long counts;
  long firstSlot;

  RunLists(DeviceArray memory) {
    this.memory = memory;
  }

  boolean isOf(AttentionMetadata wanted, StepInputs inputs) {
    return batch == wanted && step == wanted.step() && attempt == inputs.attempt();
  }

  /// Those of a decoding step that is recorded; others are measured.
  ///
  /// @param items that rows share, 0 for none
  void become(AttentionMetadata wanted, StepInputs inputs, int items) {
    batch = wanted;
    step = wanted.step();
    attempt = inputs.attempt();
    prompts = 0;
    promptTiles = 0;
    decodes = true;
    sharedItems = items;
    capacity = items == 0 ? inputs.room().runs() : inputs.room().ownRuns();
    slots = items == 0 ? capacity : inputs.room().slots();
  }
}
