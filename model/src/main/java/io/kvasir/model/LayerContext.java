package io.kvasir.model;

/// What the parts of a layer need while they are put together.
///
/// @param index the layer's number
/// @param gguf whether weights come from GGUF
record LayerContext(int index, ModelConfig model, Workspace workspace, boolean gguf) {

  LayerConfig layer() {
    return model.layers().get(index);
  }

  int width() {
    return model.width();
  }

  String role(String name) {
    return "blk." + index + "." + name;
  }
}
