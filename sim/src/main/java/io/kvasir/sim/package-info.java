/// What a cache would do with a stream of requests: traces, made-up workloads, and their replay
/// through the production [io.kvasir.kvcache.KvCache] over a storage without bytes. Knows neither
/// models nor texts: a request is a list of block numbers.
package io.kvasir.sim;
