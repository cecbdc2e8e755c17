-- karpathy/tinyllamas' stories260K: a Llama of 260,032 parameters that tells small stories.
return require "models.llama" {
  hidden_size = 64, intermediate_size = 172, num_hidden_layers = 5, num_attention_heads = 8, num_key_value_heads = 4,
  vocab_size = 512, max_position_embeddings = 512, rms_norm_eps = 1e-5, rope_theta = 10000, tie_word_embeddings = true,
}
