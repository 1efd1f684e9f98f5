/// Decides how oneDNN is loaded, asked and checked. Knows nothing of layers, models or threads of
/// the backend; what it cannot do is a value that says why.
package io.kvasir.compute.onednn;
