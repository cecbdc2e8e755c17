# Tuning: the command, the file that it writes, what runs do with it, and that no choice changes a bit.
. tests/program/refuse.sh

# begin_tuning: a model, samples and an empty place for files.
begin_tuning() {
    tiny=$(program tiny)
    export XDG_CACHE_HOME=$work/cache
    succeed "$tiny" init-model --output "$work/model" --seed 3
    for i in 1 2 3 4 5 6 7 8; do
        echo "{\"input_ids\":[$i,22,57,3,41,9,$i$i,30],\"labels\":[-100,22,57,3,41,9,$i$i,30]}"
    done >"$work/data.jsonl"
}

# train_into NAME [OPTION...]: twelve steps, to $work/NAME.
train_into() {
    local name=$1
    shift
    succeed "$tiny" train --model "$work/model" --data "$work/data.jsonl" --output "$work/$name" --max-steps 12 \
        --learning-rate 0.01 --threads 2 "$@"
}

adapter_of() { echo "$work/$1/adapter_model.safetensors"; }

test_tune_writes_a_file_that_info_knows() {
    begin_tuning
    succeed "$tiny" tune --threads 2
    expect_out "rows up to"
    expect_out "matmul_qkv_proj_fwd"
    file=$(echo "$work"/cache/lorac/tiny-*-2-*.json)
    expect_err "written to $file"
    cp "$file" "$work/first.json"
    succeed "$tiny" info --threads 2
    expect_out "on 2 threads: 20 of 20 operations measured, in $file"
    succeed "$tiny" info --threads 1
    expect_out "on 1 thread: none yet; \`tiny tune\` writes $work/cache/lorac/tiny-"
    succeed "$tiny" info --threads 2 --json
    expect_equal "$(json_number measured "$work/out")" 20
    succeed "$tiny" tune --threads 2 --json --output "$work/other.json"
    expect_same_file "$work/out" "$work/other.json"
    expect_equal "$(json_text plan "$work/other.json")" "$(json_text plan "$work/first.json")"
    expect_same_file "$file" "$work/first.json"
}

# The file is edited so that all operations take another variant than the first.
test_every_variant_gives_the_same_bits() {
    begin_tuning
    train_into none --tune off
    succeed "$tiny" tune --threads 2
    file=$(echo "$work"/cache/lorac/tiny-*.json)
    for variant in "half block" "double block"; do
        sed -i "s/\"chosen\": \"[^\"]*\"/\"chosen\": \"$variant\"/" "$file"
        expect_equal "$(grep -c "\"chosen\": \"$variant\"" "$file")" 20
        train_into "${variant// /_}"
        ! grep -q "tuning:" "$work/err" || { cat "$work/err"; return 1; }
        expect_same_file "$(adapter_of none)" "$(adapter_of "${variant// /_}")"
    done
}

test_training_measures_what_it_computes() {
    begin_tuning
    train_into none --tune off
    expect_no_file "$work/cache"
    train_into small
    expect_no_file "$work/cache"
    train_into measured --tune always --max-steps 80
    expect_err "operations measured, for later runs, in $work/cache/lorac/tiny-"
    file=$(echo "$work"/cache/lorac/tiny-*.json)
    expect_in "$file" '"matmul_gate_up_proj_bwd"'
    train_into again --tune off --max-steps 80
    expect_same_file "$(adapter_of measured)" "$(adapter_of again)"
    cp "$file" "$work/first.json"
    train_into later --tune always --max-steps 80
    expect_equal "$(grep tuning: "$work/err" || true)" ""
    expect_same_file "$file" "$work/first.json"
}

test_broken_files_are_not_used_and_said() {
    begin_tuning
    succeed "$tiny" tune --threads 2
    file=$(echo "$work"/cache/lorac/tiny-*.json)
    sed -i 's/"threads": 2/"threads": 3/' "$file"
    train_into other
    expect_err "tuning: not used: $file: its \"threads\" is another"
    head -c 300 "$file" >"$work/cut" && cp "$work/cut" "$file"
    succeed "$tiny" generate --model "$work/model" --prompt-ids 3,22 --max-new-tokens 2 --temperature 0 --threads 2
    expect_err "tuning: not used: $file:"
    succeed "$tiny" generate --model "$work/model" --prompt-ids 3,22 --max-new-tokens 2 --temperature 0 --threads 2 --tune off
    expect_equal "$(cat "$work/err")" ""
    rm "$file"
    mkfifo "$file"
    succeed timeout 20 "$tiny" generate --model "$work/model" --prompt-ids 3,22 --max-new-tokens 2 --temperature 0 --threads 2
    expect_err "tuning: not used: $file: is no file"
    rm "$file"
    succeed "$tiny" tune --threads 2
    succeed "$tiny" info --threads 2
    expect_out "20 of 20 operations measured, in $file"
}

# A file stands where the directory would be.
test_a_place_that_cannot_be_written() {
    begin_tuning
    echo >"$work/cache"
    run "$tiny" tune --threads 1
    expect_code 1
    expect_err "$work/cache"
    expect_equal "$(grep -c measuring "$work/err" || true)" 0
    expect_equal "$(cat "$work/out")" ""
    train_into anyway --tune always --max-steps 80
    expect_err "tuning: not kept: $work/cache"
    run env -u XDG_CACHE_HOME HOME= "$tiny" tune --threads 1
    expect_code 1
    expect_err "tiny: the tuning file has no place: neither XDG_CACHE_HOME nor HOME is an absolute path; set one, or use --output FILE"
    succeed env -u XDG_CACHE_HOME HOME= "$tiny" tune --threads 1 --output "$work/here.json"
    [ -s "$work/here.json" ]
    mkfifo "$work/pipe"
    run timeout 60 "$tiny" tune --threads 1 --output "$work/pipe"
    expect_code 1
    expect_err "tiny: $work/pipe: cannot be written: it is a pipe or device; name a file"
    [ -p "$work/pipe" ]
}
