/* LoRA adapters on disk, as PEFT reads and writes them: DIR/adapter_config.json and DIR/adapter_model.safetensors. */
#ifndef LORAC_ADAPTER_H
#define LORAC_ADAPTER_H

#include "program.h"
#include "safetensors.h"

/* What an adapter tensor is, as the end of its name says. */
enum adapter_kind {
    ADAPTER_A,         /* ...lora_A.weight [r][in] */
    ADAPTER_B,         /* ...lora_B.weight [out][r] */
    ADAPTER_MAGNITUDE, /* ...lora_magnitude_vector [out] (DoRA) */
    ADAPTER_FULL,      /* a whole base tensor, trained (modules_to_save) */
};
enum adapter_kind adapter_kind(const char *name);

/* The base model's tensor that an adapter tensor changes:
 * "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" -> "model.layers.0.self_attn.q_proj.weight". free()
 * it. */
char *adapter_base_tensor(const char *name);

/* Checks adapter_config.json against what was compiled (adapter_check.h), and that the file holds exactly the compiled tensors,
 * in their shapes. The result is the opened file; NULL and *err otherwise. */
struct weight_files *adapter_open(const struct program *program, const char *directory, struct error *err);

/* The base model's tensor of which an adapter's tensor is the frozen copy that PEFT adds where a head or embedding is a target:
 * "base_model.model.lm_head.base_layer.weight" -> "lm_head.weight". NULL where it is none; free() it. */
char *adapter_copied_tensor(const char *name);

/* Whether the copies in the adapter are what the base model in `model` has, in the copy's dtype. PEFT puts them in the base's place;
 * here the base stays as it is, so a copy that differs is an error. Both directories must be good ones. */
bool adapter_check_copies(const struct program *program, const char *directory, const char *model, struct error *err);

/* adapter_open, then all tensors into REGION_ADAPTERS. */
bool adapter_load(const struct program *program, const struct backend *backend, struct device *device,
                  const char *directory, struct error *err);

/* A fresh adapter from the seed, as init_lora_weights says (PEFT's names): "true": A uniform in +-1/sqrt(in), B zero;
 * "gaussian": A normal with deviation 1/r, B zero; "false": both uniform as nn.Linear does, +-1/sqrt(in) and
 * +-1/sqrt(r). DoRA's magnitudes are the row norms of W + scaling * B * A, W being the base weight as it is stored in
 * memory; whole tensors start as copies of the base's. Each tensor's numbers depend on the seed and its name alone.
 * `model` is the base model's directory. */
bool adapter_init(const struct program *program, const struct backend *backend, struct device *device,
                  const char *model, uint64_t seed, struct error *err);

/* For the base model alone: the tensors that the recipe trains whole (modules_to_save) become copies of the base's; LoRA is left
 * as it is, and to device_request.with_adapters. Does nothing where there are none. */
bool adapter_load_base(const struct program *program, const struct backend *backend, struct device *device,
                       const char *model, struct error *err);

/* Writes both files into `directory`, which must exist. `model` is what the user gave as --model:
 * base_model_name_or_path. Where the head carries LoRA, its frozen weight is copied from there too, as PEFT has it. */
bool adapter_save(const struct program *program, const struct backend *backend, const struct device *device,
                  const char *directory, const char *model, struct error *err);

/* AdamW's moments to and from one safetensors file: "exp_avg." and "exp_avg_sq." before the adapter tensors' names. */
bool optimizer_save(const struct program *program, const struct backend *backend, const struct device *device,
                    const char *path, struct error *err);
bool optimizer_load(const struct program *program, const struct backend *backend, struct device *device,
                    const char *path, struct error *err);

#endif
