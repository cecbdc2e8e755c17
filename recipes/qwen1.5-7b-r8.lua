-- Qwen1.5-7B-Chat takes on a role: instruction data, only the answers trained, rank 8 on all seven linear modules, bf16.
local chat = require "chat.chatml"

return {
  model = require "models.qwen1.5-7b-chat",
  lora = {
    r = 8, lora_alpha = 32, lora_dropout = 0.1,
    target_modules = { "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj" },
  },
  train = {
    per_device_train_batch_size = 4, gradient_accumulation_steps = 4, max_length = 384,
    learning_rate = 1e-4, lr_scheduler_type = "linear", num_train_epochs = 3, bf16 = true, gradient_checkpointing = true,
    assistant_only_loss = true, logging_steps = 10, save_steps = 100,
  },
  chat = chat { system = "现在你要扮演皇帝身边的女人--甄嬛" },
  inference = { max_context = 2048 },
}
