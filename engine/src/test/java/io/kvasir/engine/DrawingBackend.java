package io.kvasir.engine;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Buffer;
import io.kvasir.compute.ReferenceBackend;
import io.kvasir.compute.TokenDraws;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/// The reference backend as a device would be: it chooses tokens itself, by a plain sort, and
/// counts the rows of scores that are moved nevertheless.
final class DrawingBackend {
  private final ReferenceBackend real = new ReferenceBackend();
  private final int vocabulary;
  private final AtomicInteger moved = new AtomicInteger();
  private final AtomicInteger drawn = new AtomicInteger();

  DrawingBackend(int vocabulary) {
    this.vocabulary = vocabulary;
  }

  /// Rows of scores that were read so far.
  int moved() {
    return moved.get();
  }

  /// Rows that the backend was asked to choose for so far.
  int drawn() {
    return drawn.get();
  }

  Backend backend() {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (proxy, method, arguments) -> call(method, arguments));
  }

  private Object call(Method method, Object[] arguments) throws Throwable {
    if (method.getName().equals("draw")) {
      draw(
          (Buffer) arguments[0],
          (int) arguments[1],
          (int) arguments[2],
          (TokenDraws) arguments[3],
          (int[]) arguments[4]);
      return true;
    }
    if (method.getName().equals("argmax")) {
      int rows = (int) arguments[1];
      TokenDraws best = new TokenDraws(rows);
      for (int r = 0; r < rows; r++) {
        best.set(r, TokenDraws.Rule.BEST, 0);
      }
      draw((Buffer) arguments[0], rows, (int) arguments[2], best, (int[]) arguments[3]);
      return true;
    }
    if (method.getName().equals("read") && ((Buffer) arguments[0]).columns() == vocabulary) {
      moved.incrementAndGet();
    }
    try {
      return method.invoke(real, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private void draw(Buffer scores, int rows, int columns, TokenDraws draws, int[] into) {
    for (int r = 0; r < rows; r++) {
      float[] row = new float[scores.columns()];
      real.read(scores, r, row, 0);
      into[r] = draw(row, columns, draws, r);
      drawn.incrementAndGet();
    }
  }

  private static int draw(float[] scores, int columns, TokenDraws draws, int r) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < columns; i++) {
      order.add(i);
    }
    order.sort((a, b) -> Float.compare(scores[b], scores[a]));
    float best = scores[order.getFirst()];
    float temperature = draws.temperature(r);
    if (temperature == 0) {
      return order.getFirst();
    }
    List<Double> weights = new ArrayList<>();
    double total = 0;
    for (int i = 0; i < columns && (draws.topK(r) == 0 || i < draws.topK(r)); i++) {
      double weight = Math.exp((scores[order.get(i)] - best) / temperature);
      if (weight < Math.max(1e-9, draws.minP(r))) {
        break;
      }
      weights.add(weight);
      total += weight;
    }
    double kept = 0;
    int end = 0;
    while (end < weights.size() && (kept < total * draws.topP(r) || end == 0)) {
      kept += weights.get(end++);
    }
    double sum = 0;
    for (int i = 0; i < end; i++) {
      sum += weights.get(i);
      if (sum > draws.uniform(r) * kept) {
        return order.get(i);
      }
    }
    return order.get(end - 1);
  }
}
