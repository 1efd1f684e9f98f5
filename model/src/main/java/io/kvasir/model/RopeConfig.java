package io.kvasir.model;

import io.kvasir.compute.RopeTable;

/// Rotary embedding of one layer.
///
/// @param table angles; layers with the same parameters share one
/// @param interleaved whether pairs are neighbours `(2i, 2i+1)` rather than halves `(i, i + n)`
public record RopeConfig(RopeTable table, boolean interleaved) {}
