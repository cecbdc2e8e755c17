return {
  model = hf_config "../../data/stories260K/config.json",
  lora = {},
  train = {
    data_fields = {
      mesages = "dialog",
      colour = "red",
      role = 3,
    },
  },
}
