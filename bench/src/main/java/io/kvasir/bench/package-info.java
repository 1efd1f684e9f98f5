/// Benchmarks: JMH classes for the hot paths, and the models of random weights that they and the
/// comparison with other engines run on.
@NullMarked
package io.kvasir.bench;

import org.jspecify.annotations.NullMarked;
