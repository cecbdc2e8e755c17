return {
  model = hf_config "unknown_architecture.json",
  lora = {},
}
