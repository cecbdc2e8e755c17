# Only what some adapter needs exists: seen in the dumped plan and in the text that is written.

# generate RECIPE_ARGUMENTS...: text in $work/text, the dumps beside it.
generate_text() {
    succeed "$(program lorac)" "$@" -o "$work/text"
    for pass in backward schedule; do
        "$(program lorac)" "$@" --dump=$pass >"$work/$pass"
    done
}

# lowest_layer: its backward pass's function, in $work/lowest.c.
lowest_layer() {
    sed -n '/^static void lowest_layer_bwd/,/^}/p' "$work/text/backward.h" >"$work/lowest.c"
}

# expect_nowhere PATTERN PATH...: no line of the files matches.
expect_nowhere() {
    local pattern=$1 found
    shift
    found=$(grep -rnE -- "$pattern" "$@" | head -n 3)
    [ -z "$found" ] || { printf 'found "%s":\n%s\n' "$pattern" "$found"; return 1; }
}

test_no_backward_pass_below_the_lowest_adapter() {
    generate_text recipes/tiny.lua
    expect_in "$work/backward" "frozen: layers 0-2, no backward pass"
    expect_in "$work/backward" "lowest: layer 3"
    expect_in "$work/schedule" "frozen (3 layers): nothing kept, no backward pass"
    [ "$(sed -n '/^frozen/,/^lowest/p' "$work/schedule" | grep -c saved)" -eq 0 ] || { echo "a frozen layer saves a value"; return 1; }
    expect_nowhere 'frozen_layer_bwd|frozen_saved' "$work/text"
    expect_in "$work/text/backward.h" "    lowest_layer_bwd(s, 3);"
    # the lowest layer sends no gradient through q and v: their product's dX and the norm before it are not there
    lowest_layer
    expect_in "$work/lowest.c" "lora_q_proj_r8_lowest_bwd("
    expect_nowhere 'matmul_qkv_proj_bwd|input_layernorm' "$work/lowest.c"
    # k carries nothing: no adapter kernel of it exists anywhere
    expect_nowhere 'lora_k_proj' "$work/text"
}

test_of_q_k_and_v_only_what_is_adapted() {
    generate_text recipes/tiny.lua # q and v: dq and dv of the lowest layer, and dk of none but the layer above, whose input trains
    lowest_layer
    expect_in "$work/lowest.c" "    attention_qv_bwd(dqkv, delta, "
    expect_in "$work/lowest.c" "    rope_q_bwd(dqkv, "
    expect_nowhere ' attention_bwd| rope_bwd' "$work/lowest.c"
    generate_text recipes/tiny.lua --set lora.target_modules=v_proj --set lora.layers_to_transform=4
    expect_in "$work/backward" " attention_v_bwd("
    expect_nowhere 'rope_|delta' "$work/backward"
    expect_nowhere 'attention_(dq|dk|delta|columns_softmax)|struct attention_gradient.*delta|rope_[a-z_]*bwd' "$work/text"
    [ "$(sed -n '/^lowest/,$p' "$work/schedule" | grep -c 'attended.*saved')" -eq 0 ] || { echo "the lowest layer saves what delta is made of"; return 1; }
    generate_text recipes/tiny.lua --set lora.target_modules=k_proj --set lora.layers_to_transform=4
    expect_in "$work/backward" " rope_k_bwd("
    expect_nowhere 'attention_(dq|dv|dk_dv|columns_probabilities)|rope_(q_)?bwd' "$work/text"
    generate_text tests/data/partial/gradient_of_k.lua
    expect_in "$work/backward" " head_norm_k_bwd(dqkv, qkv, head_rstd, w->k_norm, T)"
}

test_of_gate_and_up_only_what_is_adapted() {
    generate_text recipes/tiny.lua --set lora.target_modules=up_proj --set lora.layers_to_transform=4
    expect_in "$work/backward" " swiglu_up_bwd("
    expect_nowhere 'swiglu_(gate_)?bwd|dgate\[|attention_.*_bwd|attention_delta|rope_.*bwd' "$work/text"
    generate_text recipes/tiny.lua --set lora.target_modules=gate_proj --set lora.layers_to_transform=4
    expect_in "$work/backward" " swiglu_gate_bwd("
    expect_nowhere 'swiglu_(up_)?bwd|dup\[' "$work/text"
}

# The programs of tests/data/partial, each with other kernels for a part of a gradient; tiny has those of q and v.
test_partial_gradients_agree_with_the_reference() {
    local recipe name
    for recipe in "$data"/partial/*.lua; do
        name=$(basename "$recipe" .lua)
        succeed "$(program "$name")" selftest
        expect_in "$work/out" " 0 failed"
    done
    expect_in "$work/out" "attention_v_bwd" # the last of them
}

test_no_gradient_of_a_frozen_weight() {
    generate_text recipes/qwen-r64.lua
    expect_nowhere '_dw\(' "$work/text"
    expect_nowhere 'lora_(o|gate|up|down)_proj' "$work/text"
    expect_in "$work/text/backward.h" "lora_v_proj_r64_bwd("
}

test_an_adapter_on_the_last_module_needs_one_product() {
    generate_text recipes/tiny.lua --set lora.target_modules=down_proj --set lora.layers_to_transform=4
    lowest_layer
    expect_in "$work/lowest.c" "lora_down_proj_r8_bwd("
    expect_nowhere 'matmul_|attention_.*bwd|swiglu_.*bwd|rmsnorm_bwd' "$work/lowest.c"
    expect_nowhere 'matmul_(qkv|o|gate_up|down)_proj_bwd\(float' "$work/text/matmul.h"
}

test_a_trained_embedding_needs_all() {
    generate_text recipes/tiny.lua --set lora.modules_to_save=embed_tokens
    expect_in "$work/text/backward.h" "embedding_bwd(s->gradients->embed_tokens, s->dx, s->ids, s->T);"
    expect_nowhere 'no backward pass' "$work/backward"
}

test_recomputing_keeps_nothing() {
    generate_text recipes/tiny.lua --set train.gradient_checkpointing=true
    expect_in "$work/schedule" "adapted (1 layer): only the input kept; computed again: normed, qkv, attended, mid, mid_normed, gate_up"
    expect_nowhere 'struct [a-z_]+_saved' "$work/text/state.h"
    expect_in "$work/text/backward.h" "    /* not kept: normed, qkv, attended, mid, mid_normed, gate_up */"
    expect_in "$work/text/backward.h" "    attention_fwd(attended, lse, qkv, s->segments, 0);"
    # nothing reads what the last products make: they do not run again
    expect_nowhere 'swiglu_fwd|matmul_down_proj_fwd' "$work/text/backward.h"
}

test_what_is_cheap_is_computed_again_where_it_is_read() {
    generate_text recipes/tiny.lua --set lora.target_modules=all-linear --set train.gradient_checkpointing=auto
    expect_in "$work/schedule" "computed again: act, mid_normed, normed"
    lowest_layer
    # SwiGLU's output is made before down_proj's adapter reads it
    sed -n '/swiglu_fwd(act, gate_up, T);/,/lora_down_proj_r8.*_bwd(/p' "$work/lowest.c" >"$work/part.c"
    expect_in "$work/part.c" "lora_down_proj_r8"
    [ "$(grep -c '' "$work/part.c")" -le 4 ] || { echo "act waits:"; cat "$work/part.c"; return 1; }
    expect_nowhere 'float act\[' "$work/text/state.h"
}

test_a_budget_alone_chooses() {
    generate_text recipes/tiny.lua --set train.memory_budget=24.7MiB
    expect_in "$work/schedule" "* auto                         24.7MiB "
    expect_nowhere 'kept from forward to backward' "$work/schedule"
}

test_a_memory_budget_is_kept_or_refused() {
    generate_text recipes/qwen-r64.lua --set train.gradient_checkpointing=auto --set train.memory_budget=8GiB
    expect_in "$work/schedule" "adapted (23 layers): kept from forward to backward"
    expect_nowhere 'computed again' "$work/schedule"
    rm -rf "$work/text"
    generate_text recipes/qwen-r64.lua --set train.gradient_checkpointing=auto --set train.memory_budget=2GiB
    expect_in "$work/schedule" "computed again: "
    expect_in "$work/schedule" "* auto                       2048.0MiB "
    run "$(program lorac)" recipes/qwen-r64.lua --set train.gradient_checkpointing=auto --set train.memory_budget=1.2GiB -o "$work/no"
    expect_code 1
    grep -qE '^--set train.memory_budget=1.2GiB: 1228.8 MiB wanted at most, but the smallest plan needs 1[34][0-9]{2}\.[0-9] MiB; max_length = [1-4][0-9]{2} would fit$' "$work/err"
    expect_no_file "$work/no"
    run "$(program lorac)" recipes/qwen-r64.lua --set train.memory_budget=500MiB -o "$work/no"
    expect_code 1
    grep -qE '^--set train.memory_budget=500MiB: 500.0 MiB wanted at most, but the smallest plan needs [0-9.]+ MiB; one sample of one token would need [0-9.]+ MiB, most of it for weights, adapters and the program itself$' "$work/err"
    expect_no_file "$work/no"
}
