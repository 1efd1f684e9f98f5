package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import io.kvasir.model.hub.Progress.Phase;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Brings a model from a hub into the shared cache.
///
/// The files are chosen by [FileChoice], fetched one after the other, each over several connections
/// ([BlobDownload]), compared with their checksum, and appear in the snapshot only then. A pull
/// that failed, was cut, cancelled (by interrupting its thread) or killed goes on where it stopped
/// when it is made again. Any number of threads and processes may pull the same model: the first
/// one that locks a blob fetches it, the others wait and find it.
///
/// Locks are those of [FileChannel]; a tool that locks in another way may fetch the same file at
/// the same time, which costs traffic and nothing else.
public final class Puller {
  private static final long LOCK_POLL_MILLIS = 50;

  /// Kept free beside what is downloaded.
  private static final long MARGIN_BYTES = 16L << 20;

  private final HubClient hub;
  private final HubCache cache;
  private final Disk disk;

  public Puller(HubClient hub) {
    this(hub, Disk.REAL);
  }

  Puller(HubClient hub, Disk disk) {
    this.hub = hub;
    this.disk = disk;
    cache = new HubCache(hub.config().cacheFolder());
  }

  /// Makes the model that `name` asks for present in the cache.
  ///
  /// @return the GGUF file (of a split model its first part) or the safetensors folder
  /// @throws HubException with a sentence for the user; what has arrived is kept unless its
  ///   checksum was wrong
  public Path pull(ModelName name, ProgressListener listener) throws HubException {
    try {
      return hub.config().offline() ? pulledBefore(name) : pullOnline(name, listener);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new HubException(
          Kind.CANCELLED, "the pull of " + name + " was cancelled; what has arrived is kept", e);
    }
  }

  private Path pulledBefore(ModelName name) throws HubException {
    return cache
        .find(name)
        .orElseThrow(() ->
            new HubException(
                Kind.NOT_CACHED,
                name
                    + " is not in "
                    + cache.folder()
                    + " and offline mode is on: pull it once with HF_HUB_OFFLINE unset"));
  }

  private Path pullOnline(ModelName name, ProgressListener listener)
      throws HubException, InterruptedException {
    listener.onProgress(new Progress(Phase.LISTING, name.toString(), 0, 0, 0, ""));
    RepoListing listing = hub.list(name);
    FileChoice.Selection selection = FileChoice.select(listing.files(), name);
    Path snapshot = cache.snapshot(name, listing.commit());
    try {
      Files.createDirectories(cache.blob(name, "x").getParent());
      Files.createDirectories(snapshot);
      checkSpace(name, listing.commit(), selection.files());
      for (RemoteFile file : selection.files()) {
        bring(name, listing.commit(), file, listener);
      }
      cache.writeRef(name, listing.commit());
    } catch (HubException e) {
      throw e;
    } catch (IOException e) {
      throw StorageErrors.explain(e, snapshot, name.toString(), disk);
    }
    RemoteFile main = selection.main();
    return main == null ? snapshot : snapshot.resolve(main.path());
  }

  private void checkSpace(ModelName name, String commit, List<RemoteFile> files)
      throws IOException {
    long needed = 0;
    for (RemoteFile file : files) {
      boolean here =
          cache.isPresent(cache.snapshot(name, commit).resolve(file.path()), file)
              || HubCache.hasLength(cache.blob(name, file.blobId()), file.bytes());
      if (!here) {
        needed += file.bytes() - BlobDownload.arrivedBytes(task(name, commit, file));
      }
    }
    long usable = disk.usableBytes(cache.repoFolder(name));
    if (needed > 0 && needed + MARGIN_BYTES > usable) {
      throw new HubException(
          Kind.DISK_FULL,
          name
              + " needs "
              + StorageErrors.size(needed)
              + " and "
              + cache.folder()
              + " has "
              + StorageErrors.size(usable)
              + " left: free some, or choose another folder with HF_HUB_CACHE");
    }
  }

  private void bring(ModelName name, String commit, RemoteFile file, ProgressListener listener)
      throws IOException, InterruptedException {
    ProgressMeter meter = new ProgressMeter(listener, file);
    Path target = cache.snapshot(name, commit).resolve(file.path());
    if (cache.isPresent(target, file)) {
      meter.start(Phase.CACHED, file.bytes());
      return;
    }
    Path lockFile = cache.lock(name, file.blobId());
    Files.createDirectories(lockFile.getParent());
    try (FileChannel channel =
            FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = lock(channel, meter)) {
      assert lock == null || lock.isValid();
      Path blob = cache.blob(name, file.blobId());
      if (cache.isPresent(target, file)) {
        meter.start(Phase.CACHED, file.bytes());
      } else if (HubCache.hasLength(blob, file.bytes())) {
        cache.link(blob, target);
        meter.start(Phase.CACHED, file.bytes());
      } else {
        download(task(name, commit, file), blob, meter);
        cache.link(blob, target);
        meter.start(Phase.DONE, file.bytes());
      }
    }
  }

  /// Waits for the lock; null where the file system has none.
  private static @Nullable FileLock lock(FileChannel channel, ProgressMeter meter)
      throws InterruptedException {
    boolean told = false;
    while (true) {
      try {
        FileLock lock = channel.tryLock();
        if (lock != null) {
          return lock;
        }
      } catch (OverlappingFileLockException e) {
        // Another thread of this process has it.
      } catch (IOException e) {
        System.getLogger(Puller.class.getName())
            .log(System.Logger.Level.WARNING, "event=no_file_locks reason={0}", e.getMessage());
        return null;
      }
      if (!told) {
        meter.start(Phase.WAITING, 0);
        told = true;
      }
      Thread.sleep(LOCK_POLL_MILLIS);
    }
  }

  private void download(BlobDownload.Task task, Path blob, ProgressMeter meter)
      throws IOException, InterruptedException {
    new BlobDownload(hub, disk, task, meter).run();
    RemoteFile file = task.file();
    meter.start(Phase.VERIFYING, 0);
    String found = Checksum.of(task.partial(), file, meter);
    if (!found.equals(file.blobId())) {
      BlobDownload.discard(task);
      throw new HubException(
          Kind.CORRUPT,
          file.path()
              + " of "
              + task.name().repository()
              + " has the wrong checksum ("
              + found
              + " instead of "
              + file.blobId()
              + "); it was refused and removed: pull again");
    }
    HubCache.move(task.partial(), blob);
    Files.deleteIfExists(task.ranges());
  }

  private BlobDownload.Task task(ModelName name, String commit, RemoteFile file) {
    return new BlobDownload.Task(
        name,
        file,
        hub.contentUri(name, commit, file),
        cache.blob(name, file.blobId() + ".kvasir.incomplete"));
  }
}
