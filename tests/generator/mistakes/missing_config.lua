return {
  model = hf_config "no/such/config.json",
  lora = {},
}
