local modules = { tostring({}), string.format("%s", function() end), tostring(1.5) }
return {
  model = require "models.stories260K",
  lora = { target_modules = modules },
}
