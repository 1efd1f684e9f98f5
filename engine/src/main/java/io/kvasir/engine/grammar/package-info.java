/// Answers of a given form: JSON Schema, regular expressions and choices become an automaton over
/// bytes, and the automaton says which tokens of a vocabulary may come next.
///
/// Start at [io.kvasir.engine.grammar.GrammarCompiler]. The package decides what is guaranteed: an
/// answer that ends where the grammar lets it end is valid. It knows nothing of scores or sampling.
package io.kvasir.engine.grammar;
