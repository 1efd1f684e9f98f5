/// What every tier must do, as tests that each tier's own test class takes over.
@NullMarked
package io.kvasir.kvcache.contract;

import org.jspecify.annotations.NullMarked;
