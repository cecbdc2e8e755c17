return { model = string.format("%-3p", "a"), lora = {} }
