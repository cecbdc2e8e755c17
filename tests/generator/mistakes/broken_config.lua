return { model = hf_config "broken_config.json", lora = {} }
