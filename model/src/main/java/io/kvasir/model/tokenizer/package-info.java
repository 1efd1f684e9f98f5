/// Text to token ids and back, from tokenizer.json or GGUF metadata.
package io.kvasir.model.tokenizer;
