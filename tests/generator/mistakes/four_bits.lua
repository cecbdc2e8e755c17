return {
  model = require "models.stories260K",
  lora = {},
  quantization = { load_in_4bit = true, bnb_4bit_quant_type = "nf4", bnb_4bit_use_double_quant = true },
}
