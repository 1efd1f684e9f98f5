/// The memory planner: what weights and cached keys and values of a model cost, before any of it is
/// loaded.
///
/// Decides how many bytes a token, a context and a number of users take in each cache format and
/// under each kind of attention. Knows shapes only: a `config.json` is enough, and no weight is
/// read.
package io.kvasir.model.plan;
