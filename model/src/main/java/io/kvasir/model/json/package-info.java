/// A small strict JSON reader and writer for model files.
package io.kvasir.model.json;
