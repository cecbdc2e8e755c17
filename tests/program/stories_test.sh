# A real trained model: what it says is known.

test_stories260K_tells_its_story() {
    succeed "$(program stories260K)" generate --model "$data/stories260K" --raw "" --max-new-tokens 199 --temperature 0
    expect_same_file "$work/out" "$data/stories260K/golden.txt"
}

# Every instruction set of the program that this machine runs.
test_every_instruction_set_tells_it() {
    for isa in portable avx2 avx512; do
        run "$(program stories260K)" generate --model "$data/stories260K" --raw "" --max-new-tokens 199 --temperature 0 --isa $isa
        if [ "$code" -eq 0 ]; then
            expect_same_file "$work/out" "$data/stories260K/golden.txt"
        else
            expect_err "--isa"
        fi
    done
}

test_first_step_within_half_a_second() {
    program=$(program stories260K)
    start=$(date +%s%N)
    succeed "$program" train --model "$data/stories260K" --data "$data/cases/stories_text/train.jsonl" --output "$work/out.d" --max-steps 1
    expect_less "$((($(date +%s%N) - start) / 1000000))" 500
}
