/// Model containers: GGUF and safetensors, read without trusting any size they state.
package io.kvasir.model.file;
