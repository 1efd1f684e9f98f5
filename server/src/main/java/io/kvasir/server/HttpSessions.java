package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.Session;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Conversations that clients keep on the server between requests, each under an id of 128 random
/// bits. An id means something only together with the tenant that made it: for any other it is
/// unknown, so that who guesses one learns nothing.
///
/// Any thread may call. What waits for the engine or a file is done outside the lock.
final class HttpSessions implements AutoCloseable {
  private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
  private static final int ID_BYTES = 16;
  private static final String ENDING = ".session";

  private final Engine engine;
  private final SessionLimits limits;
  private final LongSupplier clock;
  private final SecureRandom random = new SecureRandom();
  private final ReentrantLock lock = new ReentrantLock();
  private final Map<String, Held> live = new LinkedHashMap<>();
  private final Thread sweeper;
  private volatile boolean closed;

  /// @param clock nanoseconds
  HttpSessions(Engine engine, SessionLimits limits, LongSupplier clock) {
    this.engine = engine;
    this.limits = limits;
    this.clock = clock;
    this.sweeper = Thread.ofVirtual().name("kvasir-sessions").start(this::sweep);
  }

  /// A live conversation.
  static final class Held {
    private final String id;
    private final String tenant;
    private final Session session;
    private final @Nullable String parent;
    private final long madeNanos;
    private long usedNanos;

    private Held(
        String id, String tenant, Session session, @Nullable String parent, long nowNanos) {
      this.id = id;
      this.tenant = tenant;
      this.session = session;
      this.parent = parent;
      this.madeNanos = nowNanos;
      this.usedNanos = nowNanos;
    }

    String id() {
      return id;
    }

    Session session() {
      return session;
    }

    /// The session that this one was forked from, or null.
    @Nullable String parent() {
      return parent;
    }
  }

  /// What a list tells of a conversation.
  ///
  /// @param live whether it is in memory
  /// @param saved whether it is in a file
  record Listed(
      String id,
      @Nullable String parent,
      long ageNanos,
      long idleNanos,
      boolean live,
      boolean saved) {}

  /// An empty conversation.
  ///
  /// @throws ApiException with status 429 where there are too many
  Held create(String tenant) {
    checkRoom(tenant);
    return add(tenant, newId(), engine.openSession(Tenancy.salt(tenant)), null);
  }

  /// The live conversation of that id, which counts as used now.
  ///
  /// @throws ApiException with status 404 where the tenant has none of that id
  Held lookup(String tenant, String id) {
    Held held = find(tenant, id);
    if (held == null) {
      throw unknown(id);
    }
    return held;
  }

  private @Nullable Held find(String tenant, String id) {
    lock.lock();
    try {
      expire();
      Held held = live.get(id);
      if (held == null || !held.tenant.equals(tenant)) {
        return null;
      }
      held.usedNanos = clock.getAsLong();
      return held;
    } finally {
      lock.unlock();
    }
  }

  /// A second conversation with the same past, which it shares.
  Held fork(String tenant, String id) {
    Held source = lookup(tenant, id);
    checkRoom(tenant);
    Session fork = whenIdle(source.session::fork);
    return add(tenant, newId(), fork, id);
  }

  /// Cuts a conversation to its first `tokens`. @return how many of them stay cached
  int rewind(String tenant, String id, int tokens) {
    Held held = lookup(tenant, id);
    return whenIdle(() -> held.session.rewind(tokens));
  }

  /// Tokens that a conversation holds.
  int tokens(Held held) {
    return whenIdle(() -> held.session.heldTokens().length);
  }

  /// Writes a conversation to its file. @return the file's bytes
  long save(String tenant, String id) throws IOException {
    Held held = lookup(tenant, id);
    Path file = file(tenant, id);
    List<String> saved = savedIds(tenant);
    if (!saved.contains(id) && saved.size() >= limits.mostPerTenant()) {
      throw new ApiException(
          429, "there are %d saved sessions already; delete one first".formatted(saved.size()));
    }
    try {
      held.session.save(file);
    } catch (IllegalStateException busy) {
      throw new ApiException(409, String.valueOf(busy.getMessage()));
    } catch (IOException e) {
      throw new ApiException(409, String.valueOf(e.getMessage()));
    }
    return Files.size(file);
  }

  /// Brings a saved conversation back to life under its own id, also after a restart.
  Held resume(String tenant, String id) {
    Held known = find(tenant, id);
    if (known != null) {
      return known;
    }
    if (!ID.matcher(id).matches() || !Files.isRegularFile(file(tenant, id))) {
      throw unknown(id);
    }
    Path file = file(tenant, id);
    checkRoom(tenant);
    try {
      return add(tenant, id, engine.loadSession(file, Tenancy.salt(tenant)), null);
    } catch (IOException e) {
      throw new ApiException(409, String.valueOf(e.getMessage()));
    }
  }

  /// Ends a live conversation.
  ///
  /// @param saved whether its file goes too
  void delete(String tenant, String id, boolean saved) throws IOException {
    Held held = find(tenant, id);
    boolean gone =
        saved
            && limits.folder() != null
            && ID.matcher(id).matches()
            && Files.deleteIfExists(file(tenant, id));
    if (held == null && !gone) {
      throw unknown(id);
    }
    lock.lock();
    try {
      live.remove(id, held);
    } finally {
      lock.unlock();
    }
    if (held != null) {
      held.session.close();
    }
  }

  /// The tenant's conversations, live ones first, the newest last.
  List<Listed> list(String tenant) throws IOException {
    List<String> saved = savedIds(tenant);
    List<Listed> result = new ArrayList<>();
    lock.lock();
    try {
      expire();
      long now = clock.getAsLong();
      for (Held held : live.values()) {
        if (held.tenant.equals(tenant)) {
          boolean inFile = saved.remove(held.id);
          result.add(
              new Listed(
                  held.id, held.parent, now - held.madeNanos, now - held.usedNanos, true, inFile));
        }
      }
    } finally {
      lock.unlock();
    }
    saved.sort(Comparator.naturalOrder());
    saved.forEach(id -> result.add(new Listed(id, null, 0, 0, false, true)));
    return result;
  }

  private interface Step<T> {
    T run();
  }

  private static <T> T whenIdle(Step<T> step) {
    try {
      return step.run();
    } catch (IllegalStateException busy) {
      throw new ApiException(409, String.valueOf(busy.getMessage()));
    } catch (IllegalArgumentException wrong) {
      throw new ApiException(400, String.valueOf(wrong.getMessage()));
    }
  }

  private Held add(String tenant, String id, Session session, @Nullable String parent) {
    Held held = new Held(id, tenant, session, parent, clock.getAsLong());
    Held before;
    lock.lock();
    try {
      before = closed ? held : live.putIfAbsent(id, held);
    } finally {
      lock.unlock();
    }
    if (before != null) {
      // Two requests resumed it at once, or the server ends: this one is not needed.
      session.close();
    }
    return before == null ? held : before;
  }

  private void checkRoom(String tenant) {
    lock.lock();
    try {
      expire();
      long own = live.values().stream().filter(held -> held.tenant.equals(tenant)).count();
      if (own >= limits.mostPerTenant() || live.size() >= limits.most()) {
        throw new ApiException(
            429,
            "there are %d sessions already; delete one or wait until one expires"
                .formatted(own >= limits.mostPerTenant() ? own : live.size()));
      }
    } finally {
      lock.unlock();
    }
  }

  private static ApiException unknown(String id) {
    String shown = id.length() <= 40 ? id : id.substring(0, 40) + "…";
    return new ApiException(404, "there is no session " + shown, null, "session_not_found");
  }

  private String newId() {
    byte[] id = new byte[ID_BYTES];
    random.nextBytes(id);
    return HexFormat.of().formatHex(id);
  }

  /// Drops what nobody used for long; under the lock.
  private void expire() {
    long now = clock.getAsLong();
    live.values()
        .removeIf(held -> {
          boolean old = now - held.usedNanos > limits.idle().toNanos();
          if (old) {
            held.session.close();
          }
          return old;
        });
  }

  private void sweep() {
    while (!closed) {
      try {
        Thread.sleep(limits.idle().dividedBy(10).plusMillis(100));
      } catch (InterruptedException e) {
        return;
      }
      lock.lock();
      try {
        expire();
      } catch (IllegalStateException e) {
        return; // The engine is closed.
      } finally {
        lock.unlock();
      }
    }
  }

  private Path folder() {
    Path folder = limits.folder();
    if (folder == null) {
      throw new ApiException(
          409, "this server keeps no session files; start it with --session-dir DIR");
    }
    try {
      return Files.createDirectories(folder);
    } catch (IOException e) {
      throw new ApiException(409, "the folder of session files cannot be used: " + e.getMessage());
    }
  }

  /// The tenant's name is no part of the file's, only its digest.
  private Path file(String tenant, String id) {
    return folder().resolve(prefix(tenant) + id + ENDING);
  }

  private static String prefix(String tenant) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(tenant.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 8) + "-";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private List<String> savedIds(String tenant) throws IOException {
    List<String> ids = new ArrayList<>();
    Path folder = limits.folder();
    if (folder == null || !Files.isDirectory(folder)) {
      return ids;
    }
    String prefix = prefix(tenant);
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, prefix + "*" + ENDING)) {
      for (Path file : files) {
        String name = String.valueOf(file.getFileName());
        String id = name.substring(prefix.length(), name.length() - ENDING.length());
        if (ID.matcher(id).matches()) {
          ids.add(id);
        }
      }
    }
    return ids;
  }

  /// Lets go of all conversations; saved ones stay saved.
  @Override
  public void close() {
    List<Held> all;
    lock.lock();
    try {
      closed = true;
      all = new ArrayList<>(live.values());
      live.clear();
    } finally {
      lock.unlock();
    }
    sweeper.interrupt();
    all.forEach(held -> held.session.close());
  }
}
