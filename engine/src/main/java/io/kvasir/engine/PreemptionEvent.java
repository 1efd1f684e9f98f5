package io.kvasir.engine;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// A running request gave its room to another, for Java Flight Recorder.
@Name("io.kvasir.Preemption")
@Label("Preemption")
@Category("Kvasir")
@StackTrace(false)
final class PreemptionEvent extends Event {
  @Label("Computed tokens")
  int computedTokens;

  @Label("Blocks")
  int blocks;
}
