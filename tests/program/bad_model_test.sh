# A base model that cannot be used: a message that names the file and what is wrong in it, exit code 1, and no output directory.
. tests/program/refuse.sh

# refuse_model TEXT: generate and train both say "$work/model" and TEXT.
refuse_model() {
    [ -e "$work/ids.jsonl" ] || write_ids "$work/ids.jsonl"
    refuse 1 "stories260K: $work/model$1" "$(program stories260K)" generate --model "$work/model" --prompt-ids 1,2 --max-new-tokens 1
    refuse 1 "stories260K: $work/model$1" "$(program stories260K)" train --model "$work/model" --data "$work/ids.jsonl" --output "$work/o"
}

# refuse_config FIELD VALUE TEXT: config.json with another value in a field.
refuse_config() {
    fresh_model
    sed -i "s/\"$1\": [^,]*/\"$1\": $2/" "$work/model/config.json"
    refuse_model "/config.json: $3"
}

test_a_directory_without_model_is_refused() {
    refuse_model ": no model here: config.json cannot be read: No such file or directory"
    mkdir "$work/model"
    refuse_model ": no model here: config.json cannot be read: No such file or directory"
    rmdir "$work/model"
    : >"$work/model"
    refuse_model ": no model here: config.json cannot be read: Not a directory"
    fresh_model
    rm "$work/model/model.safetensors"
    refuse_model ": model.safetensors or model.safetensors.index.json is expected, neither is there"
}

test_a_broken_config_is_refused() {
    fresh_model
    : >"$work/model/config.json"
    refuse_model "/config.json:1: JSON is expected, the file is empty"
    printf '{\n"hidden_size": 64,\n' >"$work/model/config.json"
    refuse_model "/config.json:2: not valid JSON from here on"
    echo '[]' >"$work/model/config.json"
    refuse_model "/config.json: must be a JSON object"
    refuse_config hidden_size '"64"' "hidden_size must be a whole number of at least 1; found the string '64'"
    refuse_config vocab_size -512 "vocab_size must be a whole number of at least 1; found -512"
    refuse_config vocab_size '512, "num_experts": 8' "unknown field 'num_experts': it may change what a llama model computes"
    refuse_config model_type '"gpt2"' "model_type 'gpt2' is not supported; known: qwen2, qwen3, llama, mistral"
}

test_a_config_of_another_shape_is_refused_by_field() {
    remedy="make a program for it from this config.json"
    refuse_config hidden_size 128 "hidden_size is 128, but this program was compiled for 64; $remedy"
    refuse_config num_hidden_layers 6 "num_hidden_layers is 6, but this program was compiled for 5; $remedy"
    refuse_config rope_theta 500000.0 "rope_theta is 500000, but this program was compiled for 10000; $remedy"
    refuse_config tie_word_embeddings false "tie_word_embeddings is false, but this program was compiled for true; $remedy"
    refuse_config attention_bias true "attention_bias is true, but this program was compiled for false; $remedy"
    refuse 1 "stories260K: $data/cases/qwen2_qkv/model/config.json: model_type is qwen2, but this program was compiled for llama; $remedy" \
        "$(program stories260K)" eval --model "$data/cases/qwen2_qkv/model" --data "$work/ids.jsonl"
}

test_a_truncated_file_is_refused() {
    file=/model.safetensors
    fresh_model
    truncate -s -1 "$work/model$file"
    refuse_model "$file: tensor 'model.norm.weight' ends at byte 1040128 of the data, but the file has only 1040127: truncated or broken"
    truncate -s 100 "$work/model$file"
    refuse_model "$file: no whole safetensors file: a header of 4856 bytes is announced, the file has 100"
    truncate -s 5 "$work/model$file"
    refuse_model "$file: no safetensors file: 5 bytes long"
    truncate -s 0 "$work/model$file"
    refuse_model "$file: no safetensors file: 0 bytes long"
    fresh_model
    printf x >>"$work/model$file"
    refuse_model "$file: the last 1 bytes belong to no tensor"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1044992\n' >"$work/model$file"
    refuse_model "$file: no safetensors file but Git LFS's pointer to one; fetch it with: git lfs pull"
    rm "$work/model$file"
    mkdir "$work/model$file"
    refuse_model "$file: a safetensors file is expected, this is no regular file"
    rmdir "$work/model$file"
    mkfifo "$work/model$file"
    refuse_model "$file: a safetensors file is expected, this is no regular file"
}

# refuse_header TEXT HEADER DATA: a safetensors file made of this header and DATA bytes.
refuse_header() {
    safetensors "$work/model/model.safetensors" "$2" "$3"
    refuse_model "/model.safetensors: $1"
}

test_a_malicious_header_is_refused() {
    fresh_model
    for length in '\377\377\377\377\377\377\377\377:18446744073709551615' '\377\377\377\377\377\377\377\177:9223372036854775807'; do
        printf "${length%:*}{}" >"$work/model/model.safetensors"
        refuse_model "/model.safetensors: no whole safetensors file: a header of ${length#*:} bytes is announced, the file has 10"
    done
    refuse_header "no safetensors file: its header stops being a JSON object at byte 4" '{"a":' 0
    refuse_header "no safetensors file: its header stops being a JSON object at byte 2" '[]' 0
    refuse_header "no safetensors file: its header stops being a JSON object at byte 1000" "$(printf '[%.0s' $(seq 20000))" 0
    refuse_header "tensor 'a': an object is expected in the header" '{"a":3}' 0
    refuse_header "tensor 'b' overlaps 'a'" \
        '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}' 24
    refuse_header "8 bytes before tensor 'a' belong to no tensor" '{"a":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}' 24
    refuse_header "tensor 'a' ends at byte 100000000016 of the data, but the file has only 16: truncated or broken" \
        '{"a":{"dtype":"F32","shape":[4],"data_offsets":[100000000000,100000000016]}}' 16
    for offsets in -16,0 16,0 0,18446744073709551615 0 '"0","16"' 0,15.5; do
        refuse_header "tensor 'a': data_offsets [begin, end] are expected" '{"a":{"dtype":"F32","shape":[4],"data_offsets":['$offsets']}}' 16
    done
    refuse_header "tensor 'a': its shape is no list of whole numbers of a possible size" \
        '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}' 0
    refuse_header "tensor 'a': F32 [5] takes 20 bytes, its data_offsets give it 16" '{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}' 16
    refuse_header "tensor 'a' has more than 8 dimensions" '{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}}' 16
    refuse_header "tensor 'a': unknown dtype 'Q4'" '{"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,16]}}' 16
    refuse_header "a tensor's name is empty or holds control characters" '{"a\n":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 16
    refuse_header "tensor 'a' appears twice" \
        '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}}' 32
    refuse_header "tensor 'model.embed_tokens.weight' of shape [512, 64] is missing" '{}' 0
}

# edit_header FROM TO: text of model.safetensors' header, of the same length.
edit_header() {
    fresh_model
    LC_ALL=C sed -i "1s/$1/$2/" "$work/model/model.safetensors"
}

test_missing_extra_and_misshapen_tensors_are_refused() {
    edit_header model.layers.3.mlp.up_proj.weight model.layers.3.mlp.uq_proj.weight
    refuse_model "/model.safetensors: tensor 'model.layers.3.mlp.up_proj.weight' of shape [172, 64] is missing"
    edit_header '"model.layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":\[172,64\]' '"model.layers.0.mlp.up_proj.weight":{"dtype":"F32","shape":[64,172]'
    refuse_model "/model.safetensors: tensor 'model.layers.0.mlp.up_proj.weight' has shape [64, 172], this program is compiled for [172, 64]"
    edit_header '"model.norm.weight":{"dtype":"F32","shape":\[64\]' '"model.norm.weight":{"dtype":"I32","shape":[64]'
    refuse_model "/model.safetensors: tensor 'model.norm.weight' has dtype I32; F32, F16 and BF16 can be loaded"

    # An empty tensor more takes no data, so that only the header changes.
    fresh_model
    length=$(od -An -tu8 -N 8 "$work/model/model.safetensors" | tr -d ' ')
    header=$(head -c $((length + 8)) "$work/model/model.safetensors" | tail -c +9 | sed 's/} *$//')
    safetensors "$work/longer" "$header,\"model.layers.5.bias\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[1040128,1040128]}}" 0
    tail -c 1040128 "$work/model/model.safetensors" >>"$work/longer"
    mv "$work/longer" "$work/model/model.safetensors"
    refuse_model "/model.safetensors: tensor 'model.layers.5.bias' is not part of the model that this program is compiled for"
}

test_a_broken_index_is_refused() {
    fresh_model
    mv "$work/model/model.safetensors" "$work/model/x.safetensors"
    index=/model.safetensors.index.json
    echo 'hi' >"$work/model$index"
    refuse_model "$index:1: not valid JSON from here on"
    echo '{"weight_map":{}}' >"$work/model$index"
    refuse_model "$index: a \"weight_map\" from tensors to files is expected, there is none"
    echo '{"weight_map":{"a":"../x.safetensors"}}' >"$work/model$index"
    refuse_model "$index: weight_map: tensor 'a' names no file of this directory"
    echo '{"weight_map":{"a":"y.safetensors"}}' >"$work/model$index"
    refuse_model "/y.safetensors: cannot be read: No such file or directory"
    echo '{"weight_map":{"a":"x.safetensors"}}' >"$work/model$index"
    refuse_model "/x.safetensors: tensor 'a' is missing, model.safetensors.index.json says it lies here"
}

test_a_broken_tokenizer_is_refused() {
    fresh_model
    echo '{}' >"$work/model/tokenizer.json"
    refuse_model "/tokenizer.json: 'model' is missing"
    : >"$work/model/tokenizer.json"
    refuse_model "/tokenizer.json: JSON ends early, at byte 0, where '{' was expected"
}

test_text_without_a_tokenizer_is_refused() {
    program=$(program stories260K)
    fresh_model
    rm "$work/model/tokenizer.json"
    printf '{"text":"Once"}\n' >"$work/text.jsonl"
    refuse 1 "stories260K: $work/model has no tokenizer.json: text cannot be read; use --prompt-ids" "$program" generate --model "$work/model" --raw Once
    refuse 1 "stories260K: $work/model/tokenizer.json: not found; a model directory needs the tokenizer.json that Transformers saves" \
        "$program" tokenize --model "$work/model"
    for command in "train --output $work/o" eval preview; do
        refuse 1 "stories260K: $work/text.jsonl:1: text needs the model's tokenizer.json, which its directory does not have; expected samples of input_ids" \
            "$program" $command --model "$work/model" --data "$work/text.jsonl"
    done
    succeed "$program" generate --model "$work/model" --prompt-ids 1,403 --max-new-tokens 2
}

# refuse_generation JSON TEXT: what generation_config.json says.
refuse_generation() {
    echo "$1" >"$work/model/generation_config.json"
    refuse 1 "stories260K: $work/model/generation_config.json$2" "$(program stories260K)" generate --model "$work/model" --prompt-ids 1
}

test_a_broken_generation_config_is_refused() {
    fresh_model
    refuse_generation '{' ":1: not valid JSON from here on"
    refuse_generation '[]' ": must be a JSON object"
    refuse_generation '{"do_sample":true,"temperature":-1}' ": temperature: a number from 0 to 1e+06 is expected, found -1"
    refuse_generation '{"do_sample":true,"top_p":1.5}' ": top_p: a number from 0 to 1 is expected, found 1.5"
    refuse_generation '{"do_sample":true,"top_k":"all"}' ": top_k: a number from 0 to 1e+09 is expected, found \"all\""
    for found in '"x"' '[1,"x"]' 1.5 1e99 '{"a":2}'; do
        refuse_generation "{\"eos_token_id\":$found}" ": eos_token_id: a token's id or a list of them is expected, found $(echo "$found" | sed 's/1e99/1e+99/')"
    done
    for right in null 2 '[2,3]' '[]'; do
        echo "{\"eos_token_id\":$right}" >"$work/model/generation_config.json"
        succeed "$(program stories260K)" generate --model "$work/model" --prompt-ids 1 --max-new-tokens 1
    done
}

test_infinite_weights_are_told_before_anything_is_trained_or_said() {
    program=$(program stories260K)
    write_ids "$work/ids.jsonl"
    fresh_model
    poison "$work/model/model.safetensors" model.norm.weight 0
    refuse 1 "stories260K: the logits after 2 tokens are not finite numbers: are the weights of $work/model damaged, or the adapter's?" \
        "$program" generate --model "$work/model" --prompt-ids 1,2
    refuse_late 1 "stories260K: the loss over the data is not a finite number; are the model's weights damaged?" \
        "$program" eval --model "$work/model" --data "$work/ids.jsonl"
    refuse_late 1 "stories260K: step 1: the loss is not a number at sample $work/ids.jsonl:1, before anything was trained: are the weights of $work/model damaged, or those of --init-adapter?" \
        "$program" train --model "$work/model" --data "$work/ids.jsonl" --output "$work/o" --shuffle false
}
