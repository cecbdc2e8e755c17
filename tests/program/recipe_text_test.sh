# What the two real recipes train on, token by token and label by label, against the way it is prepared in Python
# (tests/text/make_recipe_goldens.py), with a tokenizer cut from Qwen2.5's.

# model_directory MEMBERS: $work/model, all but weights; MEMBERS are those of config.json that Qwen2 models differ in.
model_directory() {
    mkdir -p "$work/model"
    cp "$data/text/qwen2.5-2k/tokenizer.json" "$work/model"
    printf '{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","vocab_size":151936,"max_position_embeddings":32768,%s}\n' \
        "\"rms_norm_eps\":1e-6,\"rope_theta\":1000000,$1" >"$work/model/config.json"
}

test_huanhuan_is_prepared_as_in_python() {
    model_directory '"hidden_size":4096,"intermediate_size":11008,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":32,"tie_word_embeddings":false'
    succeed "$(program qwen1.5-7b-r8)" preview --model "$work/model" --data "$data/text/recipes/huanhuan.json" --json
    expect_same_file "$work/out" "$data/text/recipes/huanhuan.golden.jsonl"
    expect_err "cut at max_length 384"
}

test_ultrachat_is_prepared_as_in_python() {
    model_directory '"hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,"tie_word_embeddings":true'
    for recipe in qwen-r64 qwen-r64-all-linear-quick; do
        succeed "$(program $recipe)" preview --model "$work/model" --data "$data/text/recipes/ultrachat.jsonl" --max-samples 0 --json
        expect_same_file "$work/out" "$data/text/recipes/ultrachat.golden.jsonl"
        expect_err "cut at max_length 512"
    done
}
