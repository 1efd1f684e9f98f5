/// The library a Java program embeds: requests in, token streams out. Owns sequences, scheduling
/// and sampling; one thread mutates all of it.
package io.kvasir.engine;
