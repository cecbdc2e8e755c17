-- Below the one adapter nothing is trained: of SwiGLU's two gradients the lowest layer needs dgate, of attention's none.
return {
  model = require "models.stories260K",
  lora = { r = 3, target_modules = { "gate_proj" }, layers_to_transform = { 4 } },
  train = { per_device_train_batch_size = 2, max_length = 32 },
}
