# Adapters that do not fit, and merging: the file and the field, exit code 1, and nothing written.
. tests/program/refuse.sh

# train_adapter PROGRAM DIRECTORY: one step on two samples.
train_adapter() {
    write_ids "$work/ids.jsonl"
    succeed "$(program "$1")" train --model "$data/stories260K" --data "$work/ids.jsonl" --output "$2" --seed 3 --max-steps 1
}

# refuse_adapter TEXT: what generate, eval, train and merge say about $work/adapter.
refuse_adapter() {
    for command in "generate --prompt-ids 1 --adapter" "eval --data $work/ids.jsonl --adapter" "merge --output $work/merged --adapter" \
        "train --data $work/ids.jsonl --output $work/o --init-adapter"; do
        refuse 1 "stories260K: $work/adapter$1" "$(program stories260K)" ${command%% *} --model "$data/stories260K" ${command#* } "$work/adapter"
    done
}

# refuse_adapter_config FROM TO TEXT: adapter_config.json with TO in place of FROM.
refuse_adapter_config() {
    cp "$work/config" "$work/adapter/adapter_config.json"
    sed -i "s/$1/$2/" "$work/adapter/adapter_config.json"
    refuse_adapter "/adapter_config.json: $3"
}

test_a_directory_without_adapter_is_refused() {
    write_ids "$work/ids.jsonl"
    refuse_adapter ": no adapter here: adapter_config.json cannot be read: No such file or directory"
    mkdir "$work/adapter"
    refuse_adapter ": no adapter here: adapter_config.json cannot be read: No such file or directory"
    rmdir "$work/adapter"
    train_adapter stories260K "$work/adapter"
    mv "$work/adapter/adapter_model.safetensors" "$work/adapter/adapter_model.bin"
    refuse_adapter "/adapter_model.bin: cannot be loaded; save the adapter with safe_serialization=True"
    rm "$work/adapter/adapter_model.bin"
    refuse_adapter "/adapter_model.safetensors: cannot be read: No such file or directory"
}

test_an_adapter_of_other_settings_is_refused_by_field() {
    train_adapter stories260K "$work/adapter"
    cp "$work/adapter/adapter_config.json" "$work/config"
    again="make the program again with"
    refuse_adapter_config '"r": 8' '"r": 16' "adapter was trained with r = 16, this program is compiled for r = 8: $again set=\"lora.r=16\""
    refuse_adapter_config '"lora_alpha": 16' '"lora_alpha": 32' \
        "adapter was trained with lora_alpha = 32, this program is compiled for lora_alpha = 16: $again set=\"lora.lora_alpha=32\""
    refuse_adapter_config '"use_rslora": false' '"use_rslora": true' \
        "adapter was trained with use_rslora = true, this program is compiled for use_rslora = false: $again set=\"lora.use_rslora=true\""
    refuse_adapter_config '"use_dora": false' '"use_dora": true' \
        "adapter was trained with use_dora = true, this program is compiled for use_dora = false: $again set=\"lora.use_dora=true\""
    refuse_adapter_config '"rank_pattern": {}' '"rank_pattern": {"q_proj":4}' \
        'adapter was trained with rank_pattern = {"q_proj":4}, this program is compiled for rank_pattern = {}'
    refuse_adapter_config '"modules_to_save": null' '"modules_to_save": ["lm_head"]' \
        'adapter was trained with modules_to_save = ["lm_head"], this program is compiled for modules_to_save = null'
    refuse_adapter_config '"peft_type": "LORA"' '"peft_type": "IA3"' "peft_type \"LORA\" is expected, found 'IA3'"
    refuse_adapter_config '"bias": "none"' '"bias": "all"' "bias \"none\" is expected, found 'all'"
    refuse_adapter_config '"fan_in_fan_out": false' '"fan_in_fan_out": true' "fan_in_fan_out = true cannot be loaded"
    echo '{"r":' >"$work/adapter/adapter_config.json"
    refuse_adapter "/adapter_config.json:1: not valid JSON from here on"
}

test_an_adapter_of_other_targets_is_refused_by_tensor() {
    again="the adapter has other target_modules or layers: make the program again with the adapter's"
    train_adapter tiny "$work/adapter"
    refuse_adapter "/adapter_model.safetensors: tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight' is missing; this program trains it, $again"
    train_adapter stories260K "$work/all"
    refuse 1 "tiny: $work/all/adapter_model.safetensors: tensor 'base_model.model.model.layers.0.mlp.down_proj.lora_A.weight' is not trained by this program; $again" \
        "$(program tiny)" generate --model "$data/stories260K" --adapter "$work/all" --prompt-ids 1
}

# PEFT would put the copy of the head in the base's place: of another base, it is another model.
test_an_adapter_with_the_head_of_another_base_is_refused() {
    program=$(program llama_head_alone)
    model=$data/cases/llama_head_alone/model
    write_ids "$work/ids.jsonl"
    succeed "$program" train --model "$model" --data "$work/ids.jsonl" --output "$work/adapter" --max-steps 1
    succeed "$program" generate --model "$model" --adapter "$work/adapter" --prompt-ids 1 --max-new-tokens 1
    poison "$work/adapter/adapter_model.safetensors" base_model.model.lm_head.base_layer.weight 3
    for command in "generate --prompt-ids 1 --adapter" "eval --data $work/ids.jsonl --adapter" "merge --output $work/merged --adapter" \
        "train --data $work/ids.jsonl --output $work/o --init-adapter"; do
        refuse 1 "llama_head_alone: $work/adapter/adapter_model.safetensors: tensor 'base_model.model.lm_head.base_layer.weight' is a copy of the base model's 'lm_head.weight', but of another base model than $model/model.safetensors: give the one that the adapter was trained on as --model" \
            "$program" ${command%% *} --model "$model" ${command#* } "$work/adapter"
    done
}

test_a_damaged_adapter_is_refused() {
    train_adapter stories260K "$work/adapter"
    cp "$work/adapter/adapter_model.safetensors" "$work/tensors"
    truncate -s 5000 "$work/adapter/adapter_model.safetensors"
    length=$(od -An -tu8 -N 8 "$work/tensors" | tr -d ' ')
    refuse_adapter "/adapter_model.safetensors: no whole safetensors file: a header of $length bytes is announced, the file has 5000"
    LC_ALL=C sed '1s/"shape":\[8,172\]/"shape":[172,8]/' "$work/tensors" >"$work/adapter/adapter_model.safetensors"
    refuse_adapter "/adapter_model.safetensors: tensor 'base_model.model.model.layers.0.mlp.down_proj.lora_A.weight' has shape [172, 8], this program is compiled for [8, 172]"
}

test_merging_onto_the_wrong_base_is_refused() {
    program=$(program stories260K)
    train_adapter stories260K "$work/adapter"
    refuse 1 "stories260K: $data/cases/llama_head/model/config.json: intermediate_size is 160, but this program was compiled for 172; make a program for it from this config.json" \
        "$program" merge --model "$data/cases/llama_head/model" --adapter "$work/adapter" --output "$work/merged"
    fresh_model
    LC_ALL=C sed -i '1s/layers.3.input_layernorm/layers.3.inpuq_layernorm/' "$work/model/model.safetensors"
    refuse 1 "stories260K: $work/model/model.safetensors: tensor 'model.layers.3.input_layernorm.weight' of shape [64] is missing" \
        "$program" merge --model "$work/model" --adapter "$work/adapter" --output "$work/merged"
}

# A limit on the size of files stands for a disk that is full.
test_a_merge_that_cannot_be_written_leaves_nothing() {
    train_adapter stories260K "$work/adapter"
    trap '' XFSZ
    ulimit -f 500
    refuse 1 "stories260K: $work/merged/model.safetensors: cannot be written: File too large" \
        "$(program stories260K)" merge --model "$data/stories260K" --adapter "$work/adapter" --output "$work/merged"
    refuse 1 "stories260K: $work/random/model.safetensors: cannot be written: File too large" "$(program stories260K)" init-model --output "$work/random"
}
