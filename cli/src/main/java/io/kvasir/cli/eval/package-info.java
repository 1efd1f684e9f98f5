/// What a cache format or a pruning policy costs: `kvasir eval`.
package io.kvasir.cli.eval;
