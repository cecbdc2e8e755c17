--set lora.rr=3
--set lora.r=0
--set lora.target_modules=q_proj,k_prj
--set train.fp16=perhaps
--set lora.r.x=1
--set rank=3
return {
  model = require "models.stories260K",
  lora = { r = 8 },
}
