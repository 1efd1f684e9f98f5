package io.kvasir.model.hub;

/// Hears how a pull goes. Events come from several threads, one at a time, at most some ten a
/// second for each file apart from changes of phase.
@FunctionalInterface
public interface ProgressListener {

  /// Hears nothing.
  ProgressListener NONE = event -> {};

  void onProgress(Progress event);
}
