#!/bin/sh
# Finds the libraries that lorac and its programs link, and brings those that are missing. `make setup` calls it.
#
#   setup.sh DIR [test | fuzz]     test, fuzz: the tools of `make test`, of `make fuzz` as well
#
# Missing Debian packages are installed through apt where we are root, and named where we are not. Everything is linked
# statically but glibc; Debian has no static cJSON, so one is built from Debian's source package, fetched with a sources list
# of its own under DIR. The result is what the compiler is given as @file: DIR/compile, DIR/link-generator, DIR/link-program.
# Where all is there this takes a tenth of a second and calls no apt.
set -eu
dir=$1
wanted=${2:-build}
CC=${CC:-gcc}

say() { echo "setup: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# The static library of that name, as a path, or nothing.
static_library() {
    path=$($CC -print-file-name="$1")
    case $path in /*) [ ! -e "$path" ] || echo "$path" ;; esac
}

have_header() { # the rest: flags
    header=$1
    shift
    echo "#include <$header>" | $CC "$@" -fsyntax-only -x c - 2>/dev/null
}

lua_include() {
    for include in /usr/include/lua5.4 /usr/include/lua-5.4 /usr/local/include /usr/include; do
        if [ -e $include/lua.h ] && grep -q 'LUA_VERSION_MINOR.*"4"' $include/lua.h; then
            echo $include
            return
        fi
    done
}

lua_library() {
    for name in liblua5.4.a liblua-5.4.a liblua.a; do
        found=$(static_library $name)
        [ -z "$found" ] || { echo "$found"; return; }
    done
}

have_fuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const char *data, long size) { return !data && size; }' |
        clang -fsanitize=fuzzer,address,undefined -x c - -o "$dir/fuzzer-probe" 2>/dev/null && rm -f "$dir/fuzzer-probe"
}

missing_packages() {
    { [ -n "$(lua_include)" ] && [ -n "$(lua_library)" ]; } || echo liblua5.4-dev
    { have_header pcre2.h -DPCRE2_CODE_UNIT_WIDTH=8 && [ -n "$(static_library libpcre2-8.a)" ]; } || echo libpcre2-dev
    { have_header utf8proc.h && [ -n "$(static_library libutf8proc.a)" ]; } || echo libutf8proc-dev
    { have_header zlib.h && [ -n "$(static_library libz.a)" ]; } || echo zlib1g-dev
    { have_header zstd.h && [ -n "$(static_library libzstd.a)" ]; } || echo libzstd-dev
    if [ "$wanted" = test ]; then
        have_header cmocka.h -include stdarg.h -include stddef.h -include stdint.h -include setjmp.h || echo libcmocka-dev
        command -v clang-format >/dev/null || echo clang-format
        command -v clang-tidy >/dev/null || echo clang-tidy
    fi
    if [ "$wanted" = fuzz ]; then
        have_fuzzer || echo clang libclang-rt-dev
        CC=clang have_header omp.h || echo libomp-dev
    fi
}

# Whether the packages could be installed. An old list of packages is fetched anew once.
install_packages() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    install="apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends"
    if $install "$@" >"$dir/apt.log" 2>&1; then return; fi
    apt-get update -qq >>"$dir/apt.log" 2>&1 || true
    $install "$@" >>"$dir/apt.log" 2>&1
}

bring_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        fail "missing: $packages (Debian's names), and there is no apt-get here: install them and call make again"
    [ "$(id -u)" = 0 ] || fail "missing: $packages; install them with: sudo apt-get install $packages"
    # shellcheck disable=SC2086 # one word a package
    install_packages $packages || fail "apt-get could not install $packages; its own words are in $dir/apt.log"
    still=$(missing_packages | tr '\n' ' ')
    [ -z "$still" ] || fail "apt-get installed $packages, but the compiler still does not find ${still% }"
}

# The machine's own package sources, as source packages' sources, in a place of ours.
source_lists() {
    mkdir -p "$1"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -e "$file" ] || sed -n 's/^deb[[:space:]]/deb-src /p' "$file" >>"$1/all.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$1/$(basename "$file")"
    done
}

download_cjson() (
    apt=$(pwd)/apt
    source_lists "$apt/sources.d"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    set -- -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources.d" -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root
    apt-get "$@" update || true # a third party's list that has no sources must not stop us
    apt-get "$@" source --download-only cjson
)

unpack_cjson() (
    mkdir source
    tar -xf cjson_*.orig.tar.* -C source --strip-components=1
    tar -xf cjson_*.debian.tar.* -C source
    cd source
    [ ! -e debian/patches/series ] || while read -r name; do
        case $name in "" | "#"*) continue ;; esac
        patch -s -p1 <"debian/patches/$name"
    done <debian/patches/series
)

# Builds DIR/lib/libcjson.a and DIR/include/cjson/cJSON.h; false where the source cannot be had.
build_cjson() {
    command -v apt-get >/dev/null || return 1
    tools=
    command -v xz >/dev/null || tools="$tools xz-utils"
    command -v patch >/dev/null || tools="$tools patch"
    if [ -n "$tools" ]; then
        [ "$(id -u)" = 0 ] || return 1
        # shellcheck disable=SC2086
        install_packages $tools || return 1
    fi
    say "building a static cJSON from Debian's source package"
    work=$dir/cjson
    rm -rf "$work"
    mkdir -p "$work"
    if ! (cd "$work" && download_cjson && unpack_cjson && $CC -O2 -c source/cJSON.c) >"$dir/cjson.log" 2>&1; then return 1; fi
    mkdir -p "$dir/include/cjson" "$dir/lib"
    cp "$work/source/cJSON.h" "$dir/include/cjson/"
    ar rcs "$dir/lib/libcjson.a.new" "$work/cJSON.o"
    mv "$dir/lib/libcjson.a.new" "$dir/lib/libcjson.a"
    rm -rf "$work"
}

# Prints how cJSON is linked, once it is there.
bring_cjson() {
    if [ ! -e "$dir/lib/libcjson.a" ] && [ -z "$(static_library libcjson.a)" ] && [ ! -e "$dir/cjson-is-shared" ] && ! build_cjson; then
        if ! have_header cjson/cJSON.h; then
            { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; } || fail "missing: libcjson-dev; install it with: sudo apt-get install libcjson-dev"
            install_packages libcjson-dev || fail "apt-get could not install libcjson-dev; its own words are in $dir/apt.log"
        fi
        say "no source package of cJSON to be had (see $dir/cjson.log): it is linked as a shared library"
        touch "$dir/cjson-is-shared"
    fi
    if [ -e "$dir/lib/libcjson.a" ]; then
        echo "$dir/lib/libcjson.a"
    elif [ -n "$(static_library libcjson.a)" ]; then
        static_library libcjson.a
    else
        echo -lcjson
    fi
}

mkdir -p "$dir"
command -v "$CC" >/dev/null || fail "no C compiler: install gcc and libc6-dev"
bring_packages
cjson=$(bring_cjson)
gomp=$(static_library libgomp.a)
echo "-isystem $dir/include -isystem $(lua_include)" >"$dir/compile"
echo "$(lua_library) $cjson $(static_library libpcre2-8.a) ${gomp:--lgomp} -lm -ldl" >"$dir/link-generator"
echo "$cjson $(static_library libpcre2-8.a) $(static_library libutf8proc.a) $(static_library libz.a) \
$(static_library libzstd.a) ${gomp:--lgomp} -static-libgcc -lpthread -lm -ldl" >"$dir/link-program"
