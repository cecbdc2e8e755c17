-- Qwen1.5, Qwen2 and Qwen2.5: biases on q, k and v. `fields` are config.json's own; what is left out has the default of
-- Transformers' Qwen2Config (4096 wide, 32 layers, rope_theta 10000, head not tied, ...).
--
--     model = require "models.qwen2" { hidden_size = 896, num_hidden_layers = 24, ... }
return function(fields)
  local config = { model_type = "qwen2" }
  for name, value in pairs(fields) do config[name] = value end
  return config
end
