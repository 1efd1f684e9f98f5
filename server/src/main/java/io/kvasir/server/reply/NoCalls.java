package io.kvasir.server.reply;

import java.util.List;

/// All is content: there are no tools.
final class NoCalls implements CallReader {
  @Override
  public void append(String text, List<Part> out) {
    CallReader.content(text, out);
  }

  @Override
  public void finish(List<Part> out) {
    // Nothing is held back.
  }

  @Override
  public int count() {
    return 0;
  }
}
