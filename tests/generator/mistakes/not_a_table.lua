local recipe = { lora = {} }
