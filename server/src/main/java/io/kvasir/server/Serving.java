package io.kvasir.server;

/// What all routes that compute work with.
record Serving(
    ServedModel model, ServerConfig config, Metrics metrics, Gate gate, ClientWatch clients) {}
