return {
  model = require "models.stories260K",
  lora = {
    r = 8,
    target_modules = { "q_proj", "qproj" },
    alpha = 16,
  },
  train = { learning_rat = 1e-4, r = 4, num_epochs = 2 },
  quantisation = {},
  optimizer = "adam",
}
