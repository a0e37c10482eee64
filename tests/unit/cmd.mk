# SPDX-License-Identifier: MIT
CMD_SRC := $(filter-out avctl/main.c,$(AVCTL_SRC))

UNITS += cmd
UNIT_cmd_SRC := tests/unit/test_cmd.c $(CMD_SRC)
UNIT_cmd_LIBS := $(AVCTL_LIBS)

UNITS += record
UNIT_record_SRC := tests/unit/test_record.c avctl/config/set_fields.c avctl/machine/record.c avctl/machine/qemu.c avctl/machine/qemu_args.c \
	avctl/machine/paths.c
UNIT_record_LIBS := -ljansson

UNITS += client
UNIT_client_SRC := tests/unit/test_client.c avctl/agent/client.c guest-agent/core/line.c
UNIT_client_LIBS := -lpthread

UNITS += snapshot_file
UNIT_snapshot_file_SRC := tests/unit/test_snapshot_file.c $(wildcard avctl/file/*.c)
UNIT_snapshot_file_LIBS := -lzstd -lxxhash
UNIT_snapshot_file_CFLAGS := -Itests/fuzz
$(B)/unit/snapshot_file: tests/fuzz/avs_steps.h

# Static libraries, so that the wrapped allocation functions are theirs too.
UNITS += snapshot_file_memory
UNIT_snapshot_file_memory_SRC := tests/unit/test_snapshot_file_memory.c $(wildcard avctl/file/*.c)
UNIT_snapshot_file_memory_LIBS := -l:libzstd.a -l:libxxhash.a \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc

# make fuzz-avs: for FUZZ_SECONDS (tests/unit/config.mk).
.PHONY: fuzz-avs
fuzz-avs: $(B)/fuzz-avs/fuzz
	@mkdir -p $(B)/fuzz-avs/corpus
	$(B)/fuzz-avs/fuzz -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(B)/fuzz-avs/ -print_final_stats=0 -verbosity=0 \
		-timeout=20 -max_len=512 $(B)/fuzz-avs/corpus
$(B)/fuzz-avs/fuzz: tests/fuzz/fuzz_avs.c tests/fuzz/avs_steps.h $(wildcard avctl/file/*) abi/avisor/snapshot_file.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)clang $(FUZZ_CFLAGS) -Itests/fuzz -o $@ $< $(wildcard avctl/file/*.c) -lzstd -lxxhash
