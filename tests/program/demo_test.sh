# The demonstration: its program learns the pirate's voice, keeps what it knew, and the merged model says the same.

test_demo_shows_the_difference() {
    demo=$(program demo)
    succeed sh tests/data/demo/demo.sh "$demo" "$work/demo"
    cp "$work/out" "$work/shown"
    expect_in "$work/shown" "The capital of India is Delhi."
    expect_equal "$(grep -c 'Arr, matey! The capital of India be Delhi, yo ho ho!' "$work/shown")" 2
    expect_equal "$(grep -c 'My name be Captain Lora' "$work/shown")" 2
    before=$(awk '$1 == "before" {print $2}' "$work/shown")
    after=$(awk '$1 == "after" {print $2}' "$work/shown")
    expect_less "$after" "$(awk -v b="$before" 'BEGIN {print b / 4}')"
}
