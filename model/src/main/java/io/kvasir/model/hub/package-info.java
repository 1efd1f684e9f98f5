/// Downloads from a Hugging Face-compatible hub, and the shared local cache of what was downloaded.
package io.kvasir.model.hub;
