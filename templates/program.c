/* What this program is: the tables through which the runtime sees it. */
#include "program.h"

#include "chat_format.h"
#include "tensors.h"

//@ local m, t = plan.model, plan.train
//@ local dtypes = { f32 = "DTYPE_F32", bf16 = "DTYPE_BF16", f16 = "DTYPE_F16" }
//@ local dtype = dtypes[plan.weight_dtype]
extern const struct chat_format chat_format;
extern const struct backend $(plan.amx and "backend_amx, " or "")backend_avx512, backend_avx2, backend_portable;

/* Names on disk, shapes [rows][cols] on disk (cols 0: a vector), places in memory. */
/* clang-format off */
#define LAYER(member) offsetof(struct layer_weights, member)
#define STACKED(member, row, width) (LAYER(member) + sizeof(weight_t) * (row) * (width))

static const struct tensor_spec layer_tensors[] = {
    {.name = "input_layernorm.weight", .rows = HIDDEN, .dtype = DTYPE_F32, .offset = LAYER(input_layernorm)},
    {.name = "post_attention_layernorm.weight", .rows = HIDDEN, .dtype = DTYPE_F32, .offset = LAYER(post_attention_layernorm)},
//@ if m.qk_norm then
    {.name = "self_attn.q_norm.weight", .rows = HEAD_DIM, .dtype = DTYPE_F32, .offset = LAYER(q_norm)},
    {.name = "self_attn.k_norm.weight", .rows = HEAD_DIM, .dtype = DTYPE_F32, .offset = LAYER(k_norm)},
//@ end
    {.name = "self_attn.q_proj.weight", .rows = Q_WIDTH, .cols = HIDDEN, .dtype = $(dtype), .offset = LAYER(qkv_proj)},
    {.name = "self_attn.k_proj.weight", .rows = KV_WIDTH, .cols = HIDDEN, .dtype = $(dtype), .offset = STACKED(qkv_proj, K_OFFSET, HIDDEN)},
    {.name = "self_attn.v_proj.weight", .rows = KV_WIDTH, .cols = HIDDEN, .dtype = $(dtype), .offset = STACKED(qkv_proj, V_OFFSET, HIDDEN)},
    {.name = "self_attn.o_proj.weight", .rows = HIDDEN, .cols = Q_WIDTH, .dtype = $(dtype), .offset = LAYER(o_proj)},
//@ if m.qkv_bias then
    {.name = "self_attn.q_proj.bias", .rows = Q_WIDTH, .dtype = DTYPE_F32, .offset = LAYER(qkv_bias)},
    {.name = "self_attn.k_proj.bias", .rows = KV_WIDTH, .dtype = DTYPE_F32, .offset = LAYER(qkv_bias[K_OFFSET])},
    {.name = "self_attn.v_proj.bias", .rows = KV_WIDTH, .dtype = DTYPE_F32, .offset = LAYER(qkv_bias[V_OFFSET])},
//@ end
//@ if m.o_bias then
    {.name = "self_attn.o_proj.bias", .rows = HIDDEN, .dtype = DTYPE_F32, .offset = LAYER(o_bias)},
//@ end
    {.name = "mlp.gate_proj.weight", .rows = INTERMEDIATE, .cols = HIDDEN, .dtype = $(dtype), .offset = LAYER(gate_up_proj)},
    {.name = "mlp.up_proj.weight", .rows = INTERMEDIATE, .cols = HIDDEN, .dtype = $(dtype), .offset = STACKED(gate_up_proj, INTERMEDIATE, HIDDEN)},
    {.name = "mlp.down_proj.weight", .rows = HIDDEN, .cols = INTERMEDIATE, .dtype = $(dtype), .offset = LAYER(down_proj)},
//@ if m.mlp_bias then
    {.name = "mlp.gate_proj.bias", .rows = INTERMEDIATE, .dtype = DTYPE_F32, .offset = LAYER(gate_up_bias)},
    {.name = "mlp.up_proj.bias", .rows = INTERMEDIATE, .dtype = DTYPE_F32, .offset = LAYER(gate_up_bias[INTERMEDIATE])},
    {.name = "mlp.down_proj.bias", .rows = HIDDEN, .dtype = DTYPE_F32, .offset = LAYER(down_bias)},
//@ end
};

static const struct tensor_spec other_tensors[] = {
    {.name = "model.embed_tokens.weight", .rows = VOCAB, .cols = HIDDEN, .dtype = $(dtype), .offset = offsetof(struct weights, embed_tokens)},
    {.name = "model.norm.weight", .rows = HIDDEN, .dtype = DTYPE_F32, .offset = offsetof(struct weights, norm)},
//@ if not m.tie_word_embeddings then
    {.name = "lm_head.weight", .rows = VOCAB, .cols = HIDDEN, .dtype = $(dtype), .offset = offsetof(struct weights, lm_head)},
//@ end
};
//@ local layers = {}
//@ for i = 0, m.num_hidden_layers - 1 do layers[#layers + 1] = i end

static const int all_layers[] = {$(table.concat(layers, ", "))};

static const struct tensor_group weight_groups[] = {
    {.prefix = "", .count = 1, .tensors = other_tensors, .tensor_count = sizeof other_tensors / sizeof *other_tensors},
    {.prefix = "model.layers.%d.", .layers = all_layers, .count = LAYERS, .offset = offsetof(struct weights, layers),
     .stride = sizeof(struct layer_weights), .tensors = layer_tensors, .tensor_count = sizeof layer_tensors / sizeof *layer_tensors},
};

//@ local other = plan.head.lora or plan.train_head or plan.train_embedding
//@ for _, set in ipairs(plan.sets) do
static const struct tensor_spec $(set.name)_tensors[] = {
//@   for _, a in ipairs(set.slots) do
    {.name = "$(a.block)$(a.slot).lora_A.weight", .rows = $(a.r_name), .cols = $(a.in_name), .dtype = DTYPE_F32,
     .offset = offsetof(struct $(set.name)_adapters, $(a.slot)_A), .scaling = $(c_double(a.scaling))},
    {.name = "$(a.block)$(a.slot).lora_B.weight", .rows = $(a.out_name), .cols = $(a.r_name), .dtype = DTYPE_F32,
     .offset = offsetof(struct $(set.name)_adapters, $(a.slot)_B), .transposed = true, .scaling = $(c_double(a.scaling))},
//@     if plan.dora then
    {.name = "$(a.block)$(a.slot).lora_magnitude_vector", .rows = $(a.out_name), .dtype = DTYPE_F32,
     .offset = offsetof(struct $(set.name)_adapters, $(a.slot)_magnitude)},
//@     end
//@   end
};

static const int $(set.name)_layers[] = {$(table.concat(set.layers, ", "))};

//@ end
//@ if other then
static const struct tensor_spec other_adapter_tensors[] = {
//@   if plan.head.lora then
    {.name = "lm_head.lora_A.weight", .rows = $(plan.head.lora.r_name), .cols = HIDDEN, .dtype = DTYPE_F32,
     .offset = offsetof(struct adapters, lm_head_A), .scaling = $(c_double(plan.head.lora.scaling))},
    {.name = "lm_head.lora_B.weight", .rows = VOCAB, .cols = $(plan.head.lora.r_name), .dtype = DTYPE_F32,
     .offset = offsetof(struct adapters, lm_head_B), .transposed = true, .scaling = $(c_double(plan.head.lora.scaling))},
//@     if plan.dora then
    {.name = "lm_head.lora_magnitude_vector", .rows = VOCAB, .dtype = DTYPE_F32, .offset = offsetof(struct adapters, lm_head_magnitude)},
//@     end
//@   end
//@   if plan.train_head then
    {.name = "lm_head.weight", .rows = VOCAB, .cols = HIDDEN, .dtype = DTYPE_F32, .offset = offsetof(struct adapters, lm_head)},
//@   end
//@   if plan.train_embedding then
    {.name = "model.embed_tokens.weight", .rows = VOCAB, .cols = HIDDEN, .dtype = DTYPE_F32, .offset = offsetof(struct adapters, embed_tokens)},
//@   end
};

//@ end
static const struct tensor_group adapter_groups[] = {
//@ for _, set in ipairs(plan.sets) do
    {.prefix = "base_model.model.model.layers.%d.", .layers = $(set.name)_layers, .count = $(set.count), .offset = offsetof(struct adapters, $(set.name)),
     .stride = sizeof(struct $(set.name)_adapters), .tensors = $(set.name)_tensors, .tensor_count = sizeof $(set.name)_tensors / sizeof *$(set.name)_tensors},
//@ end
//@ if other then
    {.prefix = "base_model.model.", .count = 1, .tensors = other_adapter_tensors, .tensor_count = sizeof other_adapter_tensors / sizeof *other_adapter_tensors},
//@ end
};

_Static_assert(sizeof(struct weights) == $(plan.memory.weights), "the plan and the compiler agree on the weights' size");
_Static_assert(sizeof(struct adapters) == $(plan.memory.adapters), "the plan and the compiler agree on the adapters' size");

static const char adapter_config[] =
//@ for line in plan.adapter_config:gmatch("[^\n]*\n?") do
//@   if #line > 0 then
    $(c_string(line))
//@   end
//@ end
    ;

static const char placement[] =
//@ for line in plan.placement:gmatch("[^\n]*\n?") do
//@   if #line > 0 then
    $(c_string(line))
//@   end
//@ end
    ;

//@ local arena = plan.memory.saved + plan.memory.inputs + plan.memory.scratch + plan.memory.dora_norms
//@ local layer_plans = 0
//@ for _, kind in ipairs(plan.kinds) do layer_plans = layer_plans + (kind.trains and 1 or 0) end
//@ if layer_plans > 0 then
/* What is kept from forward to backward, what is computed again, and what else could have been chosen. */
static const struct layer_plan layer_plans[] = {
//@   for _, kind in ipairs(plan.kinds) do
//@     if kind.trains then
    {.kind = "$(kind.name)", .layers = $(kind.count), .kept = $(kind.saved_bytes * plan.max_tokens), .again = "$(kind.recomputed)",
     .flops_share = $(c_double(kind.flops_share)), .time_share = $(c_double(kind.time_share))},
//@     end
//@   end
};

static const struct checkpointing_choice choices[] = {
//@   for _, choice in ipairs(plan.choices) do
    {.setting = "$(choice.setting)", .budget = $(choice.budget), .arena = $(choice.peak - plan.memory.train_peak + arena),
     .flops_share = $(c_double(choice.flops_share)), .time_share = $(c_double(choice.time_share)), .chosen = $(tostring(choice.chosen))},
//@   end
};

//@ end
/* Best first. */
static const struct backend *const backends[] = {
#if defined(__x86_64__)
//@ if plan.amx then
    &backend_amx,
//@ end
    &backend_avx512,
    &backend_avx2,
#endif
    &backend_portable,
};

//@ local rope_types = { default = "ROPE_DEFAULT", linear = "ROPE_LINEAR", llama3 = "ROPE_LLAMA3", yarn = "ROPE_YARN" }
//@ local r = m.rope
extern const struct program program;

const struct program program = {
    .name = $(c_string(plan.name)),
    .recipe = $(c_string(plan.recipe)),
    .model = {
        .model_type = $(c_string(m.model_type)),
        .hidden_size = HIDDEN,
        .intermediate_size = INTERMEDIATE,
        .num_hidden_layers = LAYERS,
        .num_attention_heads = HEADS,
        .num_key_value_heads = KV_HEADS,
        .head_dim = HEAD_DIM,
        .vocab_size = VOCAB,
        .max_position_embeddings = $(m.max_position_embeddings),
        .rms_norm_eps = $(c_double(m.rms_norm_eps)),
        .tie_word_embeddings = $(tostring(m.tie_word_embeddings)),
        .qkv_bias = $(tostring(m.qkv_bias)),
        .o_bias = $(tostring(m.o_bias)),
        .mlp_bias = $(tostring(m.mlp_bias)),
        .qk_norm = $(tostring(m.qk_norm)),
        .sliding_window = $(m.sliding_window),
//@ if #m.full_layers > 0 then
        .full_layers = { $(table.concat(m.full_layers, ", ")) },
//@ end
        .initializer_range = $(c_double(m.initializer_range)),
        .rope = {
            .type = $(rope_types[r.type]),
            .theta = $(c_double(r.theta)),
            .factor = $(c_double(r.factor)),
            .low_freq_factor = $(c_double(r.low_freq_factor)),
            .high_freq_factor = $(c_double(r.high_freq_factor)),
            .original_max_position = $(c_double(r.original_max_position)),
            .beta_fast = $(c_double(r.beta_fast)),
            .beta_slow = $(c_double(r.beta_slow)),
            .attention_factor = $(c_double(r.attention_factor)),
            .truncate = $(c_double(r.truncate)),
        },
    },
    .lora = {
        .r = $(plan.lora.r),
        .lora_alpha = $(c_double(plan.lora.lora_alpha)),
        .lora_dropout = $(c_double(plan.lora.lora_dropout)),
        .use_rslora = $(tostring(plan.lora.use_rslora)),
        .use_dora = $(tostring(plan.lora.use_dora)),
        .init_lora_weights = $(c_string(plan.lora.init_lora_weights)),
    },
    .adapter_config = adapter_config,
    .placement = placement,
    .plan_hash = "$(plan.hash)",
    .train = {
        .per_device_train_batch_size = $(t.per_device_train_batch_size),
        .max_length = MAX_LENGTH,
        .gradient_accumulation_steps = $(t.gradient_accumulation_steps),
        .dtype = $(dtypes[plan.compute_dtype]),
        .weight_dtype = $(dtype),
        .learning_rate = $(c_double(t.learning_rate)),
        .lr_scheduler_type = $(c_string(t.lr_scheduler_type)),
        .min_lr = $(c_double(t.min_lr)),
        .min_lr_rate = $(c_double(t.min_lr_rate)),
        .num_cycles = $(c_double(t.num_cycles)),
        .power = $(c_double(t.power)),
        .lr_end = $(c_double(t.lr_end)),
        .timescale = $(c_double(t.timescale)),
        .warmup_steps = $(t.warmup_steps),
        .warmup_ratio = $(c_double(t.warmup_ratio)),
        .num_train_epochs = $(c_double(t.num_train_epochs)),
        .max_steps = $(t.max_steps),
        .weight_decay = $(c_double(t.weight_decay)),
        .adam_beta1 = $(c_double(t.adam_beta1)),
        .adam_beta2 = $(c_double(t.adam_beta2)),
        .adam_epsilon = $(c_double(t.adam_epsilon)),
        .max_grad_norm = $(c_double(t.max_grad_norm)),
        .seed = $(t.seed),
        .logging_steps = $(t.logging_steps),
        .save_steps = $(t.save_steps),
        .save_total_limit = $(t.save_total_limit),
        .eval_steps = $(t.eval_steps),
        .max_samples = $(t.max_samples),
        .shuffle = $(tostring(t.shuffle)),
        .assistant_only_loss = $(tostring(t.assistant_only_loss)),
        .packing = $(tostring(t.packing)),
//@ local recompute = false
//@ for _, kind in ipairs(plan.kinds) do recompute = recompute or kind.recompute end
        .gradient_checkpointing = $(tostring(recompute)),
//@ if t.data_fields then
        .data_fields = {
//@ for _, field in ipairs(t.data_fields) do
            .$(field.field) = $(c_string(field.name)),
//@ end
        },
//@ end
    },
    .max_context = MAX_CONTEXT,
    .chat = $(plan.chat and "&chat_format" or "NULL"),
    .weights = weight_groups,
    .weight_groups = sizeof weight_groups / sizeof *weight_groups,
    .adapters = adapter_groups,
    .adapter_groups = sizeof adapter_groups / sizeof *adapter_groups,
    .memory = {
        .weights = sizeof(struct weights),
        .adapters = sizeof(struct adapters),
        .saved = $(plan.memory.saved + plan.memory.inputs),
        .scratch = $(plan.memory.scratch + plan.memory.dora_norms),
        .generate_scratch = $(plan.memory.generate_scratch),
        .kv_cache = $(plan.memory.kv_cache),
    },
//@ if layer_plans > 0 then
    .layers = layer_plans,
    .layer_plans = sizeof layer_plans / sizeof *layer_plans,
    .choices = choices,
    .choice_count = sizeof choices / sizeof *choices,
//@ end
    .cost = {
        .forward_flops = $(c_double(plan.cost.forward_flops)),
        .backward_flops = $(c_double(plan.cost.backward_flops)),
        .recompute_flops = $(c_double(plan.cost.recompute_flops)),
        .decode_bytes = $(c_double(plan.cost.decode_bytes)),
        .trained_parameters = $(plan.cost.trained_parameters),
        .frozen_parameters = $(plan.cost.frozen_parameters),
    },
    .backends = backends,
    .backend_count = sizeof backends / sizeof *backends,
};
/* clang-format on */
