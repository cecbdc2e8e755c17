-- Qwen/Qwen2.5-0.5B-Instruct, as its config.json has it.
return require "models.qwen2" {
  hidden_size = 896, intermediate_size = 4864, num_hidden_layers = 24, num_attention_heads = 14, num_key_value_heads = 2,
  vocab_size = 151936, max_position_embeddings = 32768, rms_norm_eps = 1e-6, rope_theta = 1000000, tie_word_embeddings = true,
  use_sliding_window = false,
  torch_dtype = "bfloat16",
}
