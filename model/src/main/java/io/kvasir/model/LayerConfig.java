package io.kvasir.model;

import org.jspecify.annotations.Nullable;

/// One layer.
///
/// @param moe routing where the feed-forward part is a mixture of experts, else null
public record LayerConfig(AttentionConfig attention, @Nullable MoeConfig moe) {}
