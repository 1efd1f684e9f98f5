package io.kvasir.kvcache;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

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
    long nanos = Math.min(Long.MAX_VALUE / 4, saturatedNanos(timeToLive));
    PrefixPin pin =
        new PrefixPin(
            table.tip(), windowBlocks(table), tokens, priority, clock.getAsLong() + nanos);
    keep(pin);
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
      pin.end();
      let(pin);
    }
  }

  private void keep(PrefixPin pin) {
    prefixes.pin(pin.node());
    for (int block : pin.windowBlocks()) {
      prefixes.windows().hold(block);
    }
  }

  private void let(PrefixPin pin) {
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
        end(active.get(i));
      }
    }
  }

  /// Ends the weakest pins until `wanted` blocks can be had.
  ///
  /// @return false, with all pins as they were, where breaking all that may be would not do
  boolean breakFor(int wanted) {
    List<PrefixPin> broken = new ArrayList<>();
    while (wanted > prefixes.availableBlocks()) {
      PrefixPin weakest = weakest();
      if (weakest == null) {
        for (int i = broken.size() - 1; i >= 0; i--) {
          keep(broken.get(i));
          active.add(broken.get(i));
        }
        return false;
      }
      active.remove(weakest);
      broken.add(weakest);
      let(weakest);
    }
    broken.forEach(PrefixPin::end);
    return true;
  }

  /// The pin to break first, of those that keep any blocks.
  private @Nullable PrefixPin weakest() {
    PrefixPin weakest = null;
    for (PrefixPin pin : active) {
      if (pin.tokens() > 0
          && pin.priority() < PrefixPin.UNBREAKABLE
          && (weakest == null || pin.isWeakerThan(weakest))) {
        weakest = pin;
      }
    }
    return weakest;
  }

  void endAll() {
    while (!active.isEmpty()) {
      end(active.getLast());
    }
  }

  int count() {
    return active.size();
  }

  List<PrefixPin> active() {
    return active;
  }
}
