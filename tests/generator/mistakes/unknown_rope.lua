local llama = require "models.llama"
return {
  lora = {},
  model = llama {
    hidden_size = 64, num_attention_heads = 7,
    rope_scaling = { rope_type = "dynamic", factor = 2 },
    hiden_layers = 3,
  },
}
