# Runs a program and watches it from outside; sourced by bench.sh.

# watch SECONDS METRICS OUT ERR COMMAND...: COMMAND's exit status; its output goes to OUT and ERR. After SECONDS it is killed. Sets
#   peak_mib       the highest resident memory (VmHWM), as seen every 20 ms until METRICS has a step, then every 100 ms
#   first_seen     microseconds from the start until METRICS had a line of a step, or nothing
#   over_limit     1 if it was killed, or nothing
# While it runs, its process is $watched. File descriptor 9 is a pipe that nobody writes to: reading from it is waiting.
watch() {
    local limit_us=$(($1 * 1000000)) metrics=$2 out=$3 err=$4 peak_kib=0 began pause=0.02 status
    shift 4
    first_seen='' over_limit=''
    began=$(microseconds)
    "$@" >"$out" 2>"$err" </dev/null 9<&- &
    watched=$!
    while read_peak $watched; do
        look_for_step
        if [ $(($(microseconds) - began)) -gt $limit_us ]; then
            over_limit=1
            kill -KILL $watched
        fi
        read -r -t $pause -u 9 _
    done
    look_for_step
    peak_mib=$((peak_kib / 1024))
    wait $watched
    status=$?
    watched=
    return $status
}

# Reads and sets what belongs to watch.
look_for_step() {
    if [ -z "$first_seen" ] && has_step "$metrics"; then
        first_seen=$(($(microseconds) - began)) pause=0.1
    fi
}

microseconds() { echo "${EPOCHREALTIME/./}"; }

# Sets peak_kib; fails when the process has ended (a zombie until it is waited for). The whole file in one go: read line by line, it
# is made anew for every line and may shift between them.
read_peak() { # pid
    local lines line
    mapfile -t lines 2>/dev/null </proc/"$1"/status || return 1
    for line in "${lines[@]}"; do
        case $line in
        State:*[ZX]*\(*) return 1 ;;
        VmHWM:*) peak_kib=${line//[!0-9]/} ;;
        esac
    done
}

has_step() { # metrics
    local line
    [ -s "$1" ] || return 1
    while read -r line; do
        case $line in '{"step":'*) return 0 ;; esac
    done <"$1"
    return 1
}
