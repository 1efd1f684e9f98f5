package io.kvasir.kvcache.tier;

import io.kvasir.kvcache.tier.SlabFolder.Found;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The slabs of one open [DiskTier]: its own, which [BlockSlots] numbers through, and those that
/// other live processes let it read.
final class DiskSlabs implements AutoCloseable {
  /// A slab is this part of the budget, so that files of other models age out in such steps, but
  /// not so small that there are many files.
  private static final int SLABS = 64;

  private static final long LEAST_SLAB_BYTES = 16L << 20;
  private static final long REFRESH_NANOS = 1_000_000_000L;

  /// How far another machine's clock, or this one's before it was set, may have been ahead.
  private static final long FUTURE_MILLIS = 24 * 3_600_000L;

  private final DiskTierConfig config;
  private final BlockSlots slots;
  private final Slab.Opener opener;
  private final Consumer<IOException> damage;
  private final SlabFolder folder;
  private final SlabLayout layout;

  /// Our slabs by the number of their first slot; replaced as a whole under the lock of this
  /// object.
  private volatile NavigableMap<Integer, Slab> own = new TreeMap<>();

  private volatile Map<BlockKey, Place> others = Map.of();
  private List<Slab> otherSlabs = List.of();
  private long lastUsed;
  private long nextGrowth = System.nanoTime();
  private long nextRefresh = nextGrowth;

  private record Place(Slab slab, int slot) {}

  private record Held(int slot, BlockKey key, long used) {}

  /// @param damage told of every slab and record that is no good
  DiskSlabs(
      DiskTierConfig config, BlockSlots slots, Slab.Opener opener, Consumer<IOException> damage)
      throws IOException {
    this.config = config;
    this.slots = slots;
    this.opener = opener;
    this.damage = damage;
    long parts = Math.clamp(config.capacityBytes() / LEAST_SLAB_BYTES, 1, SLABS);
    this.layout =
        SlabLayout.fitting(
            config.fingerprint(), config.blockBytes(), config.capacityBytes() / parts);
    this.folder = new SlabFolder(config.folder(), opener);
    try {
      takeOver();
    } catch (IOException e) {
      close();
      throw new IOException(
          "cannot read the blocks in %s: %s".formatted(config.folder(), e.getMessage()), e);
    }
  }

  static FileChannel openChannel(Path path) throws IOException {
    return FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  /// The slab of a slot.
  Slab of(int slot) {
    return entry(slot).getValue();
  }

  /// The number of the slot in its slab.
  int local(int slot) {
    return slot - entry(slot).getKey();
  }

  private Map.Entry<Integer, Slab> entry(int slot) {
    return Objects.requireNonNull(own.floorEntry(slot), "slots are numbered through");
  }

  private void own(Slab slab) {
    NavigableMap<Integer, Slab> more = new TreeMap<>(own);
    more.put(slots.count(), slab);
    own = more;
  }

  /// The latest use that was found in the slabs; later ones must be later than that, whatever the
  /// clock says.
  synchronized long lastUsed() {
    return lastUsed;
  }

  boolean isWithOthers(BlockKey key) {
    return others.containsKey(key);
  }

  /// Whether another process's slab has the block, as its record says now.
  boolean isStillWithOthers(BlockKey key) {
    Place place = others.get(key);
    try {
      return place != null && place.slab().has(place.slot(), key);
    } catch (IOException e) {
      return false;
    }
  }

  /// Reads from another process's slab. Its owner may overwrite the slot meanwhile; the checksum
  /// notices, and that is a miss like any other.
  boolean readFromOthers(BlockKey key, MemorySegment into) {
    Place place = others.get(key);
    try {
      return place != null && place.slab().read(place.slot(), key, into);
    } catch (IOException e) {
      return false;
    }
  }

  /// Makes room if the budget allows: what ended processes left, else a new slab.
  ///
  /// @return whether there are free slots now
  synchronized boolean grow() throws IOException {
    if (slots.hasFree()) {
      return true;
    }
    if (System.nanoTime() - nextGrowth < 0) {
      return false;
    }
    List<Found> foreign = adoptAndKeep(folder.others(), false);
    if (slots.hasFree()) {
      return true;
    }
    long total = ownBytes() + bytes(foreign);
    total -= dropUntil(total + layout.fileBytes() - config.capacityBytes(), foreign);
    if (total + layout.fileBytes() <= config.capacityBytes() || own.isEmpty()) {
      Slab slab = folder.create(layout);
      own(slab);
      slots.add(layout.slots());
      return true;
    }
    nextGrowth = System.nanoTime() + REFRESH_NANOS;
    return false;
  }

  /// Looks at what other live processes hold, at most once a second.
  ///
  /// @return whether it looked
  synchronized boolean refreshOthers() {
    if (System.nanoTime() - nextRefresh < 0) {
      return false;
    }
    try {
      readOthers(adoptAndKeep(folder.others(), false));
    } catch (IOException e) {
      return false;
    } finally {
      nextRefresh = System.nanoTime() + REFRESH_NANOS;
    }
    return true;
  }

  /// @throws IllegalStateException where index and records disagree
  synchronized void verify() throws IOException {
    for (Map.Entry<Integer, Slab> each : own.entrySet()) {
      verify(each.getKey(), each.getValue());
    }
    if (ownBytes() > Math.max(config.capacityBytes(), layout.fileBytes())) {
      throw new IllegalStateException(
          "slabs of %d bytes exceed the budget of %d bytes"
              .formatted(ownBytes(), config.capacityBytes()));
    }
  }

  private void verify(int first, Slab slab) throws IOException {
    slab.scan((local, stored, used, damaged) -> {
      int slot = first + local;
      boolean agrees =
          slots.isHeld(slot)
              ? damaged || (stored != null && slots.holds(slot, stored.key()))
              : stored == null || !slots.isFree(slot);
      if (!agrees) {
        throw new IllegalStateException(
            "slot %d of %s is not what the index says".formatted(local, slab.path()));
      }
    });
  }

  @Override
  public synchronized void close() throws IOException {
    for (Slab slab : own.values()) {
      slab.close();
    }
    closeOthers();
    folder.close();
  }

  /// At the start: drops what exceeds the budget, other models' first, and adopts the rest.
  private synchronized void takeOver() throws IOException {
    List<Found> found = folder.others();
    dropUntil(bytes(found) - config.capacityBytes(), found);
    readOthers(adoptAndKeep(found, true));
  }

  /// Adopts dead owners' slabs of our own content and removes damaged ones.
  ///
  /// @param newest whether their blocks are the newest there are, else they become the oldest
  /// @return the slabs that stay others'
  private List<Found> adoptAndKeep(List<Found> found, boolean newest) throws IOException {
    List<Found> kept = new ArrayList<>();
    List<Held> held = new ArrayList<>();
    for (Found other : found) {
      SlabLayout its = other.layout();
      if (other.alive()) {
        kept.add(other);
      } else if (its == null) {
        damage.accept(new IOException(other.path() + " has no good header"));
        Files.deleteIfExists(other.path());
      } else if (its.sameContent(layout)) {
        adopt(other, its, held);
      } else {
        kept.add(other);
      }
    }
    held.sort(Comparator.comparingLong(Held::used));
    for (Held block : newest ? held : held.reversed()) {
      boolean first =
          newest
              ? slots.publish(block.slot(), block.key())
              : slots.publishOldest(block.slot(), block.key());
      if (!first) {
        of(block.slot()).erase(local(block.slot()));
        slots.free(block.slot());
      }
    }
    return kept;
  }

  private void adopt(Found other, SlabLayout its, List<Held> held) throws IOException {
    Slab slab = folder.adopt(other, its);
    if (slab == null) {
      return;
    }
    int first = slots.count();
    List<Integer> damaged = new ArrayList<>();
    List<Held> present = new ArrayList<>();
    try {
      slab.scan((local, stored, used, bad) -> {
        if (stored != null) {
          present.add(new Held(first + local, stored.key(), plausible(used)));
        } else if (bad) {
          damaged.add(local);
        }
      });
      for (int local : damaged) {
        damage.accept(new IOException("record " + local + " of " + slab.path() + " is damaged"));
        slab.erase(local);
      }
    } catch (IOException e) {
      damage.accept(e);
      slab.close();
      Files.deleteIfExists(slab.path());
      return;
    }
    own(slab);
    slots.addBusy(its.slots(), present.stream().mapToInt(Held::slot).toArray());
    held.addAll(present);
  }

  /// The time of use is not checked on disk, so one from the future is not believed.
  private long plausible(long used) {
    long now = DiskTier.ticks(System.currentTimeMillis());
    long believed = used < 0 || used > now + DiskTier.ticks(FUTURE_MILLIS) ? now : used;
    lastUsed = Math.max(lastUsed, believed);
    return believed;
  }

  /// Deletes dead owners' slabs: of other content first, then of ours, the longest unused first.
  ///
  /// @param excess bytes to get rid of
  /// @return bytes that went; the slabs are no longer in `found`
  private long dropUntil(long excess, List<Found> found) throws IOException {
    List<Found> candidates = new ArrayList<>(found);
    candidates.removeIf(other -> other.alive() || other.layout() == null);
    candidates.sort(
        Comparator.comparing(this::isOurContent).thenComparingLong(Found::modifiedMillis));
    long gone = 0;
    for (Found victim : candidates) {
      if (gone >= excess) {
        break;
      }
      Files.deleteIfExists(victim.path());
      found.remove(victim);
      gone += victim.fileBytes();
    }
    return gone;
  }

  private boolean isOurContent(Found found) {
    SlabLayout its = found.layout();
    return its != null && its.sameContent(layout);
  }

  private void readOthers(List<Found> found) throws IOException {
    closeOthers();
    Map<BlockKey, Place> blocks = new HashMap<>();
    List<Slab> open = new ArrayList<>();
    for (Found other : found) {
      SlabLayout its = other.layout();
      if (its != null && other.alive() && its.sameContent(layout)) {
        Slab slab = readable(other, its, blocks);
        if (slab != null) {
          open.add(slab);
        }
      }
    }
    otherSlabs = open;
    others = blocks;
  }

  private @Nullable Slab readable(Found other, SlabLayout its, Map<BlockKey, Place> blocks) {
    try {
      Slab slab = new Slab(its, other.path(), opener);
      slab.scan((local, stored, used, damaged) -> {
        if (stored != null) {
          blocks.put(stored.key(), new Place(slab, local));
        }
      });
      return slab;
    } catch (IOException e) {
      return null; // Its owner may have gone just now.
    }
  }

  private void closeOthers() throws IOException {
    others = Map.of();
    for (Slab slab : otherSlabs) {
      slab.close();
    }
    otherSlabs = List.of();
  }

  private long ownBytes() {
    long total = 0;
    for (Slab slab : own.values()) {
      total += slab.layout().fileBytes();
    }
    return total;
  }

  private static long bytes(List<Found> found) {
    long total = 0;
    for (Found other : found) {
      total += other.fileBytes();
    }
    return total;
  }
}
