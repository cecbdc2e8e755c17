-- Qwen3: RMSNorm over each head of q and k; heads are 128 wide unless head_dim says otherwise. `fields` are config.json's own;
-- what is left out has the default of Transformers' Qwen3Config.
--
--     model = require "models.qwen3" { hidden_size = 1024, num_hidden_layers = 28, ... }
return function(fields)
  local config = { model_type = "qwen3" }
  for name, value in pairs(fields) do config[name] = value end
  return config
end
