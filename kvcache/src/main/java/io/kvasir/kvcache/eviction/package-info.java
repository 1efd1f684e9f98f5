/// Which idle cached block goes first. A policy sees the prefix tree's nodes, their ages and uses;
/// it never sees keys, values or sequences, and it never frees anything itself.
package io.kvasir.kvcache.eviction;
