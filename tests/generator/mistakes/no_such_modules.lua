return {
  model = require "models.stories260K",
  lora = {
    target_modules = {
      "wq", "embed_tokens", "self_attn", "norm",
      "model.layers.9.self_attn.q_proj",
    },
    exclude_modules = { "down_porj" },
    rank_pattern = { o_prj = 4, ["("] = 2 },
    layers_to_transform = { 4, 5 },
    modules_to_save = { "norm" },
  },
}
