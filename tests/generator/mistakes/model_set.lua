--set model.num_attention_heads=7
--set model.rms_norm_eps=0
return {
  model = require "models.stories260K",
  lora = { r = 8 },
}
