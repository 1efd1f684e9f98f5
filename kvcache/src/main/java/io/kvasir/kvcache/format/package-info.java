/// Number formats of cached keys and values: each file is a byte diagram plus its scalar codec, the
/// executable specification that every kernel is tested against.
package io.kvasir.kvcache.format;
