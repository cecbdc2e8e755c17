return {
  model = require "models.stories260K",
  lora = {},
  train = {
    bf16 = true, fp16 = true,
    lr_scheduler_type = "cosine_with_min_lr", lr_scheduler_kwargs = { power = 2 },
  },
}
