package io.kvasir.engine;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/// One step of the engine, for Java Flight Recorder.
@Name("io.kvasir.Step")
@Label("Engine step")
@Category("Kvasir")
@StackTrace(false)
final class StepEvent extends Event {
  @Label("Sequences")
  int sequences;

  @Label("Tokens")
  int tokens;

  @Label("Whole step")
  @Timespan
  long stepNanos;

  @Label("Planning and bookkeeping")
  @Timespan
  long hostNanos;
}
