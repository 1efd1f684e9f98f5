import org.jspecify.annotations.NullMarked;

/// Model files, tokenizers, chat templates and the transformer.
@NullMarked
module io.kvasir.model {
  requires transitive io.kvasir.compute;
  requires java.net.http;
  requires static transitive org.jspecify;

  exports io.kvasir.model;
  exports io.kvasir.model.file;
  exports io.kvasir.model.hub;
  exports io.kvasir.model.json;
  exports io.kvasir.model.plan;
  exports io.kvasir.model.template;
  exports io.kvasir.model.tokenizer;
}
