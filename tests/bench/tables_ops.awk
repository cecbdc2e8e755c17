# The tables of operations, one a work that was profiled; part of tables.awk.

FILENAME ~ /ops$/ {
    if (!(($1, $2) in op_seconds)) op_list[$1] = join(op_list[$1], $2 "\t")
    op_calls[$1, $2] += $3; op_seconds[$1, $2] += $4; op_waited[$1, $2] += $7
    if ($5 != "-") { op_known[$1, $2] = 1; op_flops[$1, $2] += $5; op_bytes[$1, $2] += $6 }
}

# Operations by time, and behind them what is none. Time is that of a thread, on average; rates are those of all threads.
function ops_table(work,    names, count, i, steps, wall) {
    if (!((work, "wall") in op_seconds)) return
    steps = op_calls[work, "wall"]; wall = op_seconds[work, "wall"]
    printf "\n## Operations: %s\n\n", work
    printf "| operation | calls a %s | share | ms a %s | GFLOP/s | GB/s | bound by | of the ceiling | waited ms |\n", unit(work), unit(work)
    print "|---|---:|---:|---:|---:|---:|---|---:|---:|"
    count = sorted_ops(work, names)
    for (i = 1; i <= count; i++) op_row(work, names[i], steps, wall)
    op_row(work, "waiting", steps, wall)
    op_row(work, "rest", steps, wall)
    printf "| all | | 100 %% | %s | | | | | |\n", ms(op_seconds[work, "wall"] / steps)
    printf "\n%s tokens/s while profiled, %s otherwise.\n", rate(median(rates[work, "profiled"])), rate(median(rates[work, "ours"]))
}

function unit(work) { return kinds[work] == "train" ? "step" : "token" }

# The names of a work's operations, longest first, into names[1..count].
function sorted_ops(work, names,    list, n, i, j, count, name) {
    n = split(op_list[work], list, "\t ?")
    for (i = 1; i <= n; i++) {
        name = list[i]
        if (name ~ /^(wall|waiting|rest|)$/) continue
        for (j = count++; j >= 1 && op_seconds[work, names[j]] < op_seconds[work, name]; j--) names[j + 1] = names[j]
        names[j + 1] = name
    }
    return count
}

# Seconds of all threads as a thread's milliseconds.
function ms(seconds,    value) {
    value = 1000 * seconds / most_threads
    return sprintf(value < 1 ? "%.3f" : value < 100 ? "%.2f" : "%.0f", value)
}

function op_row(work, name, steps, wall,    label, calls, waited, seconds, gflops, gbytes, compute, memory) {
    label = name; calls = op_calls[work, name] / steps; waited = ms(op_waited[work, name] / steps)
    if (name == "waiting") label = "*waiting for other threads*"
    if (name == "rest") label = "*between operations*"
    if (name != label) calls = waited = ""
    printf "| %s | %s | %.1f %% | %s |", label, calls, 100 * op_seconds[work, name] / wall, ms(op_seconds[work, name] / steps)
    seconds = op_seconds[work, name] / most_threads
    if (!op_known[work, name] || seconds <= 0) {
        print " | | | | " waited " |"
        return
    }
    gflops = op_flops[work, name] / seconds / 1e9; gbytes = op_bytes[work, name] / seconds / 1e9
    compute = gflops / (name ~ /^(matmul|lora|attention)_/ ? compute_ceiling(work) : ceiling(work, "fma"))
    memory = gbytes / ceiling(work, "read")
    label = "memory"
    if (compute > memory) { label = "arithmetic"; memory = compute }
    printf " %s | %s | %s | %.0f %% | %s |\n", rate(gflops), rate(gbytes), label, 100 * memory, waited
}
