package io.kvasir.kvcache;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;

/// The active [PrefixPin]s of one cache. There are few, so they are kept in a plain list.
final class PrefixPins {
  private final PrefixCache prefixes;
  private final LongSupplier clock;
  private final List<PrefixPin> active = new ArrayList<>();

  PrefixPins(PrefixCache prefixes, LongSupplier clock) {
    this.prefixes = prefixes;
    this.clock = clock;
  }

  PrefixPin add(BlockTable table, int tokens, Duration timeToLive, int priority) {
    if (priority < 0 || priority > PrefixPin.UNBREAKABLE) {
      throw new IllegalArgumentException("priority must be from 0 to 100: " + priority);
    }
    if (timeToLive.isNegative()) {
      throw new IllegalArgumentException("a pin cannot last " + timeToLive);
    }
    prefixes.pin(table.tip());
    int[] windowBlocks = windowBlocks(table);
    for (int block : windowBlocks) {
      prefixes.windows().hold(block);
    }
    long nanos = Math.min(Long.MAX_VALUE / 4, saturatedNanos(timeToLive));
    PrefixPin pin =
        new PrefixPin(table.tip(), windowBlocks, tokens, priority, clock.getAsLong() + nanos);
    active.add(pin);
    return pin;
  }

  private static long saturatedNanos(Duration duration) {
    return duration.compareTo(Duration.ofNanos(Long.MAX_VALUE)) >= 0
        ? Long.MAX_VALUE
        : duration.toNanos();
  }

  /// The window blocks of the table that stand in nodes.
  private int[] windowBlocks(BlockTable table) {
    int full = prefixes.tree().depth(table.tip()) + 1;
    int[] blocks = new int[table.blockCount()];
    int count = 0;
    for (int group = 0; group < prefixes.groups(); group++) {
      for (int i = table.firstBlock(group); prefixes.isWindow(group) && i < full; i++) {
        blocks[count++] = table.block(group, i);
      }
    }
    return Arrays.copyOf(blocks, count);
  }

  void end(PrefixPin pin) {
    if (active.remove(pin)) {
      let(pin);
    }
  }

  private void let(PrefixPin pin) {
    pin.end();
    // Pins are made on findable nodes only; a reset ends them before it hides anything.
    prefixes.unpin(pin.node());
    for (int block : pin.windowBlocks()) {
      prefixes.dropWindowBlock(block);
    }
  }

  /// Ends the pins whose time is over.
  void expire() {
    if (active.isEmpty()) {
      return;
    }
    long now = clock.getAsLong();
    for (int i = active.size() - 1; i >= 0; i--) {
      if (active.get(i).expiresNanos() - now <= 0) {
        let(active.remove(i));
      }
    }
  }

  /// Ends the weakest pin. @return false where none may be broken
  boolean breakWeakest() {
    PrefixPin weakest = null;
    for (PrefixPin pin : active) {
      if (pin.priority() < PrefixPin.UNBREAKABLE
          && (weakest == null || pin.isWeakerThan(weakest))) {
        weakest = pin;
      }
    }
    if (weakest == null) {
      return false;
    }
    end(weakest);
    return true;
  }

  void endAll() {
    while (!active.isEmpty()) {
      let(active.removeLast());
    }
  }

  int count() {
    return active.size();
  }

  List<PrefixPin> active() {
    return active;
  }
}
