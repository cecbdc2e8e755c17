-- The job of qwen-r64 with adapters on all seven linear modules of a layer.
local chat = require "chat.tinyllama"

return {
  model = require "models.qwen2.5-0.5b-instruct",
  lora = {
    r = 64, lora_alpha = 32, lora_dropout = 0.1,
    target_modules = { "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj" },
  },
  train = {
    per_device_train_batch_size = 2, gradient_accumulation_steps = 4, max_length = 512, max_samples = 3000, shuffle = true,
    learning_rate = 2e-4, lr_scheduler_type = "cosine", num_train_epochs = 1, optim = "adamw_torch", fp16 = true,
    gradient_checkpointing = true, assistant_only_loss = false, logging_steps = 10,
  },
  chat = chat { other_template = true },
  inference = { max_context = 2048 },
}
