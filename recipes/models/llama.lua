-- Llama 1 to 3 and TinyLlama. `fields` are config.json's own; what is left out has the default of Transformers' LlamaConfig.
--
--     model = require "models.llama" { hidden_size = 2048, num_key_value_heads = 4, ... }
return function(fields)
  local config = { model_type = "llama" }
  for name, value in pairs(fields) do config[name] = value end
  return config
end
