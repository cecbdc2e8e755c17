# The model's own chat template against the recipe's chat format, as train and chat tell it.

# demo_model OLD NEW: $work/model is the demo's, with NEW for OLD in its chat template.
demo_model() {
    rm -rf "$work/model" "$work/o"
    cp -r "$data/demo/model" "$work/model"
    sed -i "/chat_template/s/$1/$2/" "$work/model/tokenizer_config.json"
}

train_a_step() {
    succeed "$(program demo)" train --model "$work/model" --data "$data/demo/train.jsonl" --output "$work/o" --max-steps 1
}

test_a_template_that_agrees_is_silent() {
    demo_model x x
    train_a_step
    expect_equal "$(grep '^warning' "$work/err" || true)" ""
    run "$(program demo)" chat --model "$work/model"
    expect_code 0
    expect_equal "$(complaints)" ""
}

test_a_template_that_is_not_known_is_told_once() {
    demo_model friendly grumpy
    line="warning: $work/model/tokenizer_config.json: its chat template is none of those known here, so whether the recipe's chat format 'chatml' agrees with it is not checked; if that is meant, say other_template = true among the recipe's chat options"
    train_a_step
    expect_equal "$(grep '^warning' "$work/err")" "$line"
    run "$(program demo)" chat --model "$work/model"
    expect_code 0
    expect_equal "$(cat "$work/err")" "$line"
}
