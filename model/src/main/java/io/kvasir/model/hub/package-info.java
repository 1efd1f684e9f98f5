/// Downloads from a Hugging Face-compatible hub, and the shared local cache of what was downloaded.
///
/// Decides which files of a repository make up a model, how they travel (ranges, retries,
/// checksums) and where they rest: the folder layout that the hub's documentation calls the "Hub
/// local cache", so that files pulled by other tools are found and the other way round. Refuses to
/// know what is in the files, and reads no environment: everything arrives in [HubConfig].
package io.kvasir.model.hub;
