local function lower(name)
  return name:rep({})
end
return { model = require "models.stories260K", lora = { target_modules = { lower("q_proj") } } }
