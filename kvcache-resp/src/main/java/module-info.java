import org.jspecify.annotations.NullMarked;

/// The shared tier: blocks in a store that speaks RESP (Valkey, Redis).
@NullMarked
module io.kvasir.kvcache.resp {
  requires transitive io.kvasir.kvcache;
  requires redis.clients.jedis;
  requires static transitive org.jspecify;

  exports io.kvasir.kvcache.resp;
}
