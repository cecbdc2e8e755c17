-- The lowest layer needs dk alone, behind a norm of each head.
return {
  model = require "models.qwen3" {
    hidden_size = 56, intermediate_size = 100, num_hidden_layers = 3, num_attention_heads = 6, num_key_value_heads = 2, head_dim = 10,
    vocab_size = 257, max_position_embeddings = 64, tie_word_embeddings = true,
  },
  lora = { r = 3, target_modules = { "k_proj" }, layers_to_transform = { 1, 2 } },
  train = { per_device_train_batch_size = 2, max_length = 32 },
}
