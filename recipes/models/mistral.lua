-- Mistral: every layer sees the last sliding_window tokens (4096 unless given). `fields` are config.json's own; what is left out
-- has the default of Transformers' MistralConfig.
--
--     model = require "models.mistral" { num_hidden_layers = 32, sliding_window = 4096, ... }
return function(fields)
  local config = { model_type = "mistral" }
  for name, value in pairs(fields) do config[name] = value end
  return config
end
