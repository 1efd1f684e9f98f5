package io.kvasir.server;

import io.kvasir.engine.Engine;
import io.kvasir.engine.EngineSnapshot;
import io.kvasir.kvcache.CacheView;

/// What an engine and its cache looked like at one moment.
///
/// @param sequence counts frames, from 1
/// @param nanos when it was taken, of [System#nanoTime]
/// @param engine what the engine published last before
record CacheFrame(long sequence, long nanos, CacheView view, EngineSnapshot engine) {

  static CacheFrame take(long sequence, Engine engine) {
    CacheView view = engine.cacheView(CacheView.Limits.DEFAULT);
    return new CacheFrame(sequence, System.nanoTime(), view, engine.snapshot());
  }
}
