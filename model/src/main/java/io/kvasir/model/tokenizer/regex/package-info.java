/// Regular expressions for pre-tokenizers: the dialect that tokenizer files are written in, matched
/// in time linear in the text whatever the text is. Knows nothing of tokens.
package io.kvasir.model.tokenizer.regex;
