package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import io.kvasir.model.hub.Progress.Phase;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Fetches one file into its partial file: several connections take segments of it in turn, each
/// fills its segment by `Range` requests and goes on after a cut where it stopped.
///
/// What has arrived is recorded beside the partial file twice a second, so that another process, or
/// this one after a failure, fetches the rest only. The calling thread supervises: it closes
/// connections that stall and stops all when one fails for good or the thread is interrupted. It
/// does not verify the content.
final class BlobDownload {
  private static final int BUFFER_BYTES = 64 << 10;
  private static final long RECORD_NANOS = 500_000_000L;

  /// A connection that delivered less before it broke counts as a failure in a row.
  private static final long PROGRESS_BYTES = 64 << 10;

  private static final Pattern CONTENT_RANGE =
      Pattern.compile("bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\\*)");

  /// What is fetched and where it goes.
  ///
  /// @param partial the partial file, named by the content's hash: another version of the file
  ///   never continues it
  record Task(ModelName name, RemoteFile file, URI uri, Path partial) {
    /// The record of what has arrived.
    Path ranges() {
      String partialName = partial.getFileName().toString();
      return partial.resolveSibling(
          partialName.substring(0, partialName.length() - ".incomplete".length()) + ".ranges");
    }
  }

  /// The server answers a range request with the whole file.
  private static final class NoRangesException extends IOException {
    private static final long serialVersionUID = 1L;
  }

  private final HubClient hub;
  private final Disk disk;
  private final Task task;
  private final ProgressMeter meter;
  private final TransferConfig transfer;
  private long recordedNanos = System.nanoTime();

  BlobDownload(HubClient hub, Disk disk, Task task, ProgressMeter meter) {
    this.hub = hub;
    this.disk = disk;
    this.task = task;
    this.meter = meter;
    transfer = hub.config().transfer();
  }

  /// Bytes of `task` that an earlier attempt left.
  static long arrivedBytes(Task task) {
    Segments segments = Segments.load(task.ranges(), task.partial(), task.file().bytes());
    return segments == null ? 0 : segments.arrivedBytes();
  }

  /// Returns when the partial file has all its bytes on the device.
  ///
  /// @throws HubException where it cannot; the partial file and its record are kept
  void run() throws HubException, InterruptedException {
    long total = task.file().bytes();
    Segments segments = Segments.load(task.ranges(), task.partial(), total);
    if (segments == null) {
      segments = Segments.fresh(total, transfer.segmentBytes());
    }
    try {
      try {
        fetchAll(segments);
      } catch (NoRangesException e) {
        segments = Segments.whole(total);
        fetchAll(segments);
      }
      try (Disk.Writer out = disk.open(task.partial())) {
        out.force();
      }
    } catch (HubException e) {
      throw e;
    } catch (IOException e) {
      throw storageFailed(e);
    }
  }

  private void fetchAll(Segments segments) throws IOException, InterruptedException {
    segments.save(task.ranges());
    meter.start(Phase.DOWNLOADING, segments.arrivedBytes());
    int connections = Math.min(transfer.connections(), segments.unfinished());
    List<Connection> running = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      CompletionService<Connection> ended = new ExecutorCompletionService<>(threads);
      for (int i = 0; i < connections; i++) {
        Connection connection = new Connection(segments);
        running.add(connection);
        ended.submit(connection::run, connection);
      }
      try {
        await(ended, running);
      } catch (IOException | InterruptedException | RuntimeException e) {
        threads.shutdownNow();
        running.forEach(Connection::cut);
        throw e;
      }
    } finally {
      recordNow(segments);
    }
  }

  private void await(CompletionService<Connection> ended, List<Connection> running)
      throws IOException, InterruptedException {
    long patience = transfer.stallTimeout().toNanos();
    long pollMillis = Math.clamp(transfer.stallTimeout().toMillis() / 4, 1, 500);
    int left = running.size();
    while (left > 0) {
      Future<Connection> done = ended.poll(pollMillis, TimeUnit.MILLISECONDS);
      if (done == null) {
        running.forEach(connection -> connection.cutIfStalled(patience));
        continue;
      }
      try {
        Connection connection = done.get();
        left--;
        if (connection.failure != null) {
          throw connection.failure;
        }
      } catch (ExecutionException e) {
        throw new IllegalStateException("a connection failed unexpectedly", e.getCause());
      }
    }
  }

  /// One connection at a time, segment after segment.
  private final class Connection {
    private final Segments segments;
    private volatile @Nullable InputStream body;
    private volatile long heardNanos;
    private @Nullable IOException failure;

    Connection(Segments segments) {
      this.segments = segments;
    }

    void run() {
      try (Disk.Writer out = disk.open(task.partial())) {
        for (int index = segments.take(); index >= 0; index = segments.take()) {
          fetch(index, out);
        }
      } catch (InterruptedException e) {
        failure = new HubException(Kind.CANCELLED, "the download was cancelled", e);
      } catch (IOException e) {
        failure = e instanceof NoRangesException ? e : storageFailed(e);
      }
    }

    private void fetch(int index, Disk.Writer out) throws IOException, InterruptedException {
      int failures = 0;
      while (segments.done(index) < segments.length(index)) {
        long before = segments.done(index);
        Optional<Duration> wanted = Optional.empty();
        HubException failed;
        boolean passing;
        boolean answered = false;
        try (HubHttp.Answer answer = hub.http().get(task.uri(), range(index))) {
          if (answer.isSuccess()) {
            answered = true;
            copy(answer, index, out);
            failed = cut(null);
            passing = true;
          } else {
            failed = hub.errors().forStatus(answer, task.name(), task.file().path());
            wanted = HubErrors.wantedPause(answer.headers());
            // A refusal by a download server is often a signed address that ran out.
            passing = HubErrors.isPassing(answer.status()) || !answer.fromHub();
          }
        } catch (NoRangesException | HubException e) {
          throw e;
        } catch (IOException e) {
          failed = answered ? cut(e) : HubErrors.forNetwork(e, task.uri());
          passing = answered || HubErrors.isInterruption(e);
        }
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        if (segments.done(index) >= segments.length(index)) {
          return;
        }
        failures = segments.done(index) - before >= PROGRESS_BYTES ? 1 : failures + 1;
        meter.retrying(String.valueOf(failed.getMessage()));
        if (!passing || failures >= transfer.attempts() || !hub.http().pause(failures, wanted)) {
          throw failed;
        }
      }
    }

    private @Nullable String range(int index) {
      long from = segments.start(index) + segments.done(index);
      long end = segments.start(index) + segments.length(index);
      boolean whole = from == 0 && end == task.file().bytes();
      return whole ? null : "bytes=" + from + "-" + (end - 1);
    }

    private HubException cut(@Nullable IOException cause) {
      return new HubException(
          Kind.UNREACHABLE,
          "the connection for "
              + task.file().path()
              + " keeps breaking: pull again, what has arrived is kept",
          cause);
    }

    /// Writes the body of `answer` where it belongs; ends quietly where the body ends too early.
    private void copy(HubHttp.Answer answer, int index, Disk.Writer out) throws IOException {
      checkIdentity(answer);
      long at = segments.start(index) + segments.done(index);
      long left = segments.length(index) - segments.done(index);
      checkRange(answer, at);
      heardNanos = System.nanoTime();
      body = answer.body();
      byte[] buffer = new byte[(int) Math.min(BUFFER_BYTES, left)];
      try {
        while (left > 0) {
          int read = answer.body().read(buffer, 0, (int) Math.min(buffer.length, left));
          if (read < 0) {
            return;
          }
          if (Thread.currentThread().isInterrupted()) {
            return;
          }
          heardNanos = System.nanoTime();
          write(out, at, buffer, read);
          at += read;
          left -= read;
          segments.add(index, read);
          meter.add(read);
          record(segments);
        }
      } finally {
        body = null;
      }
    }

    private void checkIdentity(HubHttp.Answer answer) throws HubException {
      String etag = answer.etag();
      String expected = task.file().blobId();
      boolean comparable =
          etag != null && FileNames.isHash(etag) && etag.length() == expected.length();
      if (comparable && !expected.equals(etag)) {
        throw new HubException(
            Kind.CORRUPT,
            task.file().path()
                + " is another file on the hub now ("
                + etag
                + " instead of "
                + expected
                + "): pull again");
      }
    }

    private void checkRange(HubHttp.Answer answer, long at) throws IOException {
      if (answer.status() != 206) {
        if (at != 0 || segments.count() > 1) {
          throw new NoRangesException();
        }
        return;
      }
      Matcher range = CONTENT_RANGE.matcher(answer.header("Content-Range"));
      String total = Long.toString(task.file().bytes());
      if (!range.matches()
          || Long.parseLong(range.group(1)) != at
          || !(range.group(3).equals("*") || range.group(3).equals(total))) {
        throw new HubException(
            Kind.SERVER,
            task.uri().getHost()
                + " was asked for byte "
                + at
                + " of "
                + total
                + " of "
                + task.file().path()
                + " and sends '"
                + FileNames.shown(answer.header("Content-Range"))
                + "'");
      }
    }

    void cutIfStalled(long patienceNanos) {
      if (body != null && System.nanoTime() - heardNanos > patienceNanos) {
        cut();
      }
    }

    void cut() {
      InputStream open = body;
      if (open != null) {
        try {
          open.close();
        } catch (IOException e) {
          // It is being thrown away.
        }
      }
    }
  }

  private void write(Disk.Writer out, long at, byte[] bytes, int count) throws HubException {
    try {
      out.write(at, bytes, count);
    } catch (IOException e) {
      throw storageFailed(e);
    }
  }

  private void record(Segments segments) {
    synchronized (this) {
      long now = System.nanoTime();
      if (now - recordedNanos < RECORD_NANOS) {
        return;
      }
      recordedNanos = now;
    }
    recordNow(segments);
  }

  /// A record that cannot be written is no failure: the older one stays true.
  private void recordNow(Segments segments) {
    try {
      segments.save(task.ranges());
    } catch (IOException e) {
      System.getLogger(BlobDownload.class.getName())
          .log(System.Logger.Level.DEBUG, "event=ranges_not_recorded reason={0}", e.getMessage());
    }
  }

  private HubException storageFailed(IOException failure) {
    return StorageErrors.explain(failure, task.partial(), task.file().path(), disk);
  }

  /// Removes what this download left.
  static void discard(Task task) throws IOException {
    Files.deleteIfExists(task.ranges());
    Files.deleteIfExists(task.partial());
  }
}
