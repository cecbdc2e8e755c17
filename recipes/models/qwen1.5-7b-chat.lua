-- Qwen/Qwen1.5-7B-Chat, as its config.json has it.
return require "models.qwen2" {
  hidden_size = 4096, intermediate_size = 11008, num_hidden_layers = 32, num_attention_heads = 32, num_key_value_heads = 32,
  vocab_size = 151936, max_position_embeddings = 32768, rms_norm_eps = 1e-6, rope_theta = 1000000, tie_word_embeddings = false,
  use_sliding_window = false,
  torch_dtype = "bfloat16",
}
