/// The contract between a model and the machine: weights, activation buffers, operations, attention
/// over the paged cache, and the scalar reference backend that is the oracle for all others.
///
/// Decides what an operation means, to the formula. Refuses to know architectures and scheduling.
package io.kvasir.compute;
