package io.kvasir.compute.x86;

/// A place in the code that jumps go back to.
///
/// @param at bytes from the start
record Label(int at) {}
