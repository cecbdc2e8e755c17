# lorac: a recipe becomes a C program that fine-tunes one model shape.
#
#   make recipe=NAME [set="lora.r=16 ..."]   recipes/NAME.lua (or a path) -> generated/NAME/ -> build/NAME
#   make demo | test | fuzz | bench | setup | clean | help
#
# build/lorac is the generator, build/runtime/liblorac.a what every program links; both are brought up to date first. Variables
# to override: CC, CFLAGS (added to ours), WARNINGS, build (where everything is built), backends.

CC := gcc
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Werror
CFLAGS :=
build := build
libraries := build/libraries
MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

# One compilation of generated/NAME/cpu.c per instruction set that its program.c lists; the program picks one when it starts.
# `make backends=avx2 ...` leaves the others out: quicker to build, runs on fewer machines. native is what this machine would pick.
known_backends := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),amx avx512 avx2) portable
backends := $(known_backends)
cpu_flags := $(shell grep -m 1 '^flags' /proc/cpuinfo 2>/dev/null)
native := $(filter $(known_backends),$(if $(filter amx_bf16,$(cpu_flags)),amx) \
    $(firstword $(if $(filter avx512bw,$(cpu_flags)),avx512) $(if $(filter avx2,$(cpu_flags)),avx2) portable))
march_amx := -march=x86-64-v4 -mavx512bf16 -mamx-tile -mamx-bf16 -mprefer-vector-width=512
march_emulated := -march=x86-64-v4 -mprefer-vector-width=512 -DAMX_EMULATED
march_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
march_avx2 := -march=x86-64-v3
march_portable :=

flags := -std=c11 $(WARNINGS) -fopenmp @$(libraries)/compile -MMD -MP $(CFLAGS)
base_flags := -O2 $(flags)
kernel_optimization := -O3
kernel_flags := $(kernel_optimization) -fno-math-errno -fno-trapping-math $(flags)

# With profile=1 a program is build/NAME-profile, which tells where its time goes (tests/bench/profile.c): every function of cpu.c but
# those that are inline, of the files named here, steps within attention and the selftest's says when it begins and ends.
profile_suffix := $(if $(profile),-profile)
comma := ,
attention_steps := $(addprefix attention_,row new exp finish soft begin pack silence write d columns scores weighted transpose)
profile_flags := -finstrument-functions -finstrument-functions-exclude-file-list=tile_,_tile,attention_fma,attention_amx,product,selftest \
    -finstrument-functions-exclude-function-list=$(subst $() ,$(comma),$(attention_steps)) \
    -D'inline=inline __attribute__((no_instrument_function))'
profile_link := $(addprefix -Wl$(comma)--wrap=,GOMP_parallel GOMP_barrier GOMP_loop_end)

.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: all setup lib program compile demo bench test unit_tests train_tools tools programs fuzz fuzz_targets clean help

# ---- what to make when no goal is named: the recipe's program, or the tools alone ----

ifdef recipe
all: program
else
all: $(build)/lorac lib
	@echo "build/lorac and build/runtime/liblorac.a are ready; next: make recipe=NAME, where NAME is one of"
	@echo "    $(patsubst recipes/%.lua,%,$(wildcard recipes/*.lua))"
endif

help:
	@echo "make recipe=NAME            recipes/NAME.lua -> generated/NAME/ -> build/NAME (NAME may be a path to a .lua file)"
	@echo "make recipe=NAME set=\"lora.r=16 lora.target_modules=q_proj,v_proj\"    with fields changed: build/NAME+HASH"
	@echo "make demo                   train a small chat model in the repository, and see the difference"
	@echo "make test                   everything that is tested"
	@echo "make fuzz [seconds=60]      the parsers under libFuzzer, so long each [targets=\"NAME ...\"]"
	@echo "make bench [works=...]      speed and memory on this machine, beside PEFT with PEFT_PYTHON=/path/to/python: tests/bench/README.md"
	@echo "make setup                  only install what is missing"
	@echo "make clean                  remove build/"
	@echo "recipes: $(patsubst recipes/%.lua,%,$(wildcard recipes/*.lua))"

# A make within this make passes setup_done=1: once is enough.
setup:
ifndef setup_done
	@CC="$(CC)" sh runtime/libraries/setup.sh $(libraries)
endif

clean:
	rm -rf build

# ---- the generator and the runtime library ----

generator_objects := $(patsubst %.c,$(build)/%.o,$(wildcard generator/*.c))
runtime_objects := $(patsubst %.c,$(build)/%.o,$(wildcard runtime/*.c))

lib: $(build)/runtime/liblorac.a
	@:

$(build)/generator/%.o: generator/%.c | setup
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(base_flags) -DLORAC_HOME='"$(CURDIR)"' -Igenerator -Iruntime -c $< -o $@

$(build)/runtime/%.o: runtime/%.c | setup
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(base_flags) -Iruntime -c $< -o $@

$(build)/runtime/liblorac.a: $(runtime_objects)
	@rm -f $@
	@ar rcs $@ $^

$(build)/lorac: $(generator_objects) $(build)/runtime/liblorac.a
	@echo "  link  $@"
	@$(CC) $(CFLAGS) $(generator_objects) $(build)/runtime/liblorac.a @$(libraries)/link-generator -o $@

# ---- a recipe's program ----

ifdef recipe
# What would be several words, patterns or commands in the rules below.
unusable := " ' ` $$ : % \# ; & | \ * ? < > ( )
ifneq ($(words $(recipe))$(strip $(foreach c,$(unusable),$(findstring $c,$(value recipe)))),1)
$(error recipe="$(value recipe)": one name or path without spaces and characters such as quotes, colons and asterisks is expected; \
    move or rename the file)
endif
recipe_file := $(if $(filter %.lua,$(recipe)),$(recipe),recipes/$(recipe).lua)
set_hash := $(if $(strip $(set)),+$(shell echo '$(strip $(set))' | sha1sum | cut -c1-7))
name := $(basename $(notdir $(recipe_file)))$(set_hash)
ifneq ($(filter generated libraries lorac objects runtime generator tests sanitize fuzz demo.out,$(name)),)
$(error a recipe cannot be called '$(name)': build/$(name) is something else)
endif

# lorac writes to a fresh place; a file whose text stayed as it was keeps its time, so that only what changed is compiled.
program: $(build)/lorac lib
	@test -f '$(recipe_file)' || { echo "make: no recipe '$(recipe_file)'; there are: $(patsubst recipes/%.lua,%,$(wildcard recipes/*.lua))" >&2; exit 2; }
	@rm -rf '$(build)/generated/$(name)' && mkdir -p $(build)/generated
	@echo "  lorac $(recipe_file) $(set)"
	@$(build)/lorac '$(recipe_file)' -o '$(build)/generated/$(name)' $(foreach s,$(set),--set '$s')
	@mkdir -p 'generated/$(name)' && cd 'generated/$(name)' && new='$(abspath $(build)/generated/$(name))' && \
	    for f in *; do test -e "$$new/$$f" || rm -rf "$$f"; done && \
	    for f in $$(ls "$$new"); do cmp -s "$$new/$$f" "$$f" || cp "$$new/$$f" "$$f"; done
	@$(MAKE) compile setup_done=1
endif

# `make compile name=NAME` compiles generated/NAME as it stands.
ifdef name
objects := $(build)/objects/$(name)$(profile_suffix)
plain_sources := $(filter-out generated/$(name)/cpu.c,$(wildcard generated/$(name)/*.c))
listed := $(filter $(known_backends),$(shell sed -n 's/^ *&backend_\(.*\),/\1/p' generated/$(name)/program.c 2>/dev/null))
built := $(filter $(backends),$(listed))
program_objects := $(patsubst generated/$(name)/%.c,$(objects)/%.o,$(plain_sources)) $(foreach b,$(built),$(objects)/cpu_$b.o) \
    $(foreach b,$(filter-out $(built),$(listed)),$(objects)/absent_$b.o) $(if $(profile),$(objects)/bench-profile.o)

compile: $(build)/$(name)$(profile_suffix)
	@:

$(objects)/%.o: generated/$(name)/%.c | setup
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(base_flags) -Iruntime -c $< -o $@

$(objects)/cpu_%.o: generated/$(name)/cpu.c | setup
	@mkdir -p $(@D)
	@echo "  cc    $< ($*)"
	@$(CC) $(kernel_flags) $(if $(profile),$(profile_flags)) $(march_$*) -DBACKEND=backend_$* -Iruntime -c $< -o $@

$(objects)/absent_%.o: runtime/absent/backend.c | setup
	@mkdir -p $(@D)
	@$(CC) $(base_flags) -DBACKEND=backend_$* -DNAME='"$*"' -Iruntime -c $< -o $@

$(objects)/bench-profile.o: tests/bench/profile.c | setup
	@mkdir -p $(@D)
	@$(CC) $(base_flags) -Iruntime -c $< -o $@

$(build)/$(name)$(profile_suffix): $(program_objects) $(build)/runtime/liblorac.a
	@echo "  link  $@"
	@$(CC) $(CFLAGS) $(if $(profile),$(profile_link)) $(program_objects) $(build)/runtime/liblorac.a @$(libraries)/link-program -o $@
-include $(program_objects:.o=.d)
endif

# ---- demonstration ----

demo:
	@$(MAKE) recipe=demo
	@sh tests/data/demo/demo.sh build/demo build/demo.out

# ---- tests: tests/run.sh says what there is and in which order ----

# Every tests/DIR/*_test.c is one cmocka program, linked with the other .c files of its folder, those of tests/, and the objects
# that it tests: the generator without its main, or the runtime library.
unit_dirs := generator text runtime kernel
unit_tests := $(foreach d,$(unit_dirs),$(patsubst %.c,$(build)/%,$(wildcard tests/$d/*_test.c)))
train_tools := $(patsubst %.c,$(build)/%,$(wildcard tests/train/*.c))
tools := $(patsubst %.c,$(build)/%,$(wildcard tests/tools/*.c))
test_objects = $(patsubst %.c,$(build)/%.o,$(wildcard tests/*.c) $(filter-out %_test.c,$(wildcard tests/$1/*.c)))
tested_generator := $(filter-out $(build)/generator/main.o,$(generator_objects))

unit_tests: $(unit_tests)
	@:
train_tools: $(train_tools)
	@:

# For developers: comparisons with other tools, which tests/tools/*.py make.
tools: $(tools)
	@:

$(build)/tests/%.o: tests/%.c | setup
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(base_flags) -DLORAC_HOME='"$(CURDIR)"' -Itests -I$(build)/tests -Igenerator -Iruntime -c $< -o $@

# Chat formats as lorac compiles them, for tests that link the runtime alone.
chat_formats := $(build)/tests/text/chat_formats.h
$(chat_formats): tests/text/make_chat_formats.sh $(build)/lorac $(wildcard recipes/chat/*.lua) templates/chat_format.c README.md
	@mkdir -p $(@D)
	@sh $< $(build)/lorac >$@
$(patsubst %,$(build)/tests/text/chat_%_test.o,format mistakes template): $(chat_formats)

define unit_rule
$(build)/tests/$1/%_test: $(build)/tests/$1/%_test.o $(call test_objects,$1) $(if $(filter generator,$1),$(tested_generator)) \
    $(build)/runtime/liblorac.a
	@echo "  link  $$@"
	@$(CC) $(CFLAGS) $$^ -lcmocka @$(libraries)/link-$(if $(filter generator,$1),generator,program) -o $$@
endef
$(foreach d,$(unit_dirs),$(eval $(call unit_rule,$d)))

$(train_tools) $(tools): %: %.o $(build)/runtime/liblorac.a
	@echo "  link  $@"
	@$(CC) $(CFLAGS) $^ @$(libraries)/link-program -o $@

# The programs that the tests run. generated/tiny is compiled as it was committed. A recipe that differs from another by its modules
# alone is compiled once, as NAME-quick. The golden cases and those of partial gradients are built for this machine's
# instruction set alone: the others are tested by the recipes' own programs. As bf16 recipes, some as fp16 recipes, and in fp32 those of
# bfloat16 checkpoints, the golden cases are built for AMX, in emulation where the processor lacks it, and not at all below AVX-512.
variant_recipes := recipes/qwen-r64-all-linear.lua
test_recipes := $(filter-out recipes/tiny.lua $(variant_recipes),$(wildcard recipes/*.lua))
golden_cases := $(wildcard tests/data/cases/*/*.lua)
fp16_cases := tests/data/cases/llama_odd_sizes/*.lua tests/data/cases/qwen2_qkv/*.lua
partial_cases := $(wildcard tests/data/partial/*.lua)
fp32_cases := tests/data/cases/llama_odd_sizes/*.lua tests/data/cases/llama3_rope_scaling/*.lua
amx_cases := $(if $(filter amx avx512,$(native)),$(golden_cases:%=bf16/%) $(patsubst %,fp16/%,$(wildcard $(fp16_cases))) \
    $(patsubst %,fp32/%,$(wildcard $(fp32_cases))))
emulation := $(if $(filter amx,$(native)),,'march_amx=$(march_emulated)')
dtype = $(firstword $(subst /, ,$1))
on_amx = recipe=$(1:$(dtype)/%=%) name=$(basename $(notdir $1))-$(dtype) $(if $(filter-out fp32,$(dtype)),set=train.$(dtype)=true) \
    backends=amx $(emulation)

# Products whose results are bfloat16, on vectors: blocks so small that these models' matrices have several.
small_block_cases := llama_odd_sizes qwen2_all_linear
small_blocks = recipe=tests/data/cases/$1/$1.lua name=$1-small-blocks set=train.bf16=true 'backends=$(filter-out amx,$(known_backends))' \
    'kernel_optimization=-O1 -DSMALL_BLOCKS'

# What a layer keeps changes no bit: some cases, with dropout, under different policies. The tight budgets lie between those
# that keep all and those that keep nothing; that of qwen2_all_linear has layers of one kind differ.
policy_cases := llama_dora qwen2_all_linear qwen3_qknorm
budget_llama_dora := 21.2MiB
budget_qwen2_all_linear := 22.2MiB
budget_qwen3_qknorm := 21.3MiB
policy_set = lora.lora_dropout=0.1 train.$(if $(filter tight,$2),memory_budget=$(budget_$1),gradient_checkpointing=$2)
policy_programs := $(foreach c,$(policy_cases),$(foreach p,false true auto tight,\
    "recipe=tests/data/cases/$c/$c.lua name=$c-$p 'set=$(call policy_set,$c,$p)' backends='$(native)'"))

# Each line is the arguments of a make; as many run at a time as there are cores. Cases are quick to run, so they are compiled
# quickly, in half the time that recipes' programs take: no bit of a result differs.
quickly := kernel_optimization=-O1
programs: $(build)/lorac lib
	@{ echo "compile name=tiny"; \
	$(foreach r,$(test_recipes),echo "recipe=$r";) \
	$(foreach r,$(variant_recipes),echo "recipe=$r name=$(basename $(notdir $r))-quick backends='$(native)' $(quickly)";) \
	$(foreach r,$(golden_cases) $(partial_cases),echo "recipe=$r backends='$(native)' $(quickly)";) \
	$(foreach r,$(amx_cases),echo "$(call on_amx,$r) $(quickly)";) \
	$(foreach c,$(small_block_cases),echo "$(call small_blocks,$c)";) \
	for line in $(policy_programs); do echo "$$line $(quickly)"; done; } | xargs -P $(shell nproc 2>/dev/null || echo 2) -L 1 $(MAKE) setup_done=1

# parts: which of tests/run.sh's parts to run (all); filter: only the tests of programs whose name contains it.
test:
	@CC="$(CC)" sh runtime/libraries/setup.sh $(libraries) test
	@MAKE='$(MAKE)' filter='$(filter)' bash tests/run.sh $(parts)

# ---- measuring: tests/bench/README.md ----

# What the command line sets (works, rounds, PEFT_PYTHON, ...) reaches bench.sh as environment; it builds what it needs.
bench: setup
	@MAKE='$(MAKE)' backends='$(native)' bash tests/bench/bench.sh

$(build)/tests/bench/ceilings: tests/bench/ceilings.c $(build)/runtime/liblorac.a
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) -O3 -march=native -ffp-contract=fast $(flags) -Iruntime $^ @$(libraries)/link-program -o $@

$(build)/tests/bench/random_gguf: tests/bench/random_gguf.c $(build)/runtime/liblorac.a
	@mkdir -p $(@D)
	@echo "  cc    $<"
	@$(CC) $(base_flags) -Iruntime $^ @$(libraries)/link-program -o $@

# ---- fuzzing: tests/fuzz/README.md ----

# Every tests/fuzz/NAME.c is one target, linked with tests/fuzz/support/. All is compiled with clang into a folder of its own, with
# one thread: what is fuzzed computes nothing.
seconds := 60
all_targets := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
targets := $(all_targets)
fuzz_programs := $(all_targets:%=$(build)/tests/fuzz/%)
fuzz_support := $(patsubst %.c,$(build)/%.o,$(wildcard tests/fuzz/support/*.c))
sanitizers := address,undefined

fuzz:
	@CC="$(CC)" sh runtime/libraries/setup.sh $(libraries) fuzz
	@$(MAKE) fuzz_targets build=build/fuzz CC=clang setup_done=1 \
	    CFLAGS="-fno-openmp -g -fsanitize=fuzzer-no-link,$(sanitizers) -fno-sanitize-recover=all"
	@sh tests/fuzz/run.sh build/fuzz $(seconds) $(targets)

fuzz_targets: $(targets:%=$(build)/tests/fuzz/%)
	@:

$(fuzz_programs): %: %.o $(fuzz_support) $(build)/runtime/liblorac.a
	@echo "  link  $@"
	@$(CC) $(CFLAGS) -fsanitize=fuzzer,$(sanitizers) $^ @$(libraries)/link-program -o $@

-include $(generator_objects:.o=.d) $(runtime_objects:.o=.d)
-include $(patsubst %.c,$(build)/%.d,$(wildcard tests/*.c tests/*/*.c tests/*/*/*.c))
.SECONDARY:
