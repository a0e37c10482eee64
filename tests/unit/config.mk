# SPDX-License-Identifier: MIT
CONFIG_SRC := $(wildcard avctl/config/*.c avctl/bundle/*.c) hypervisor/core/manifest.c
CONFIG_LIBS := -lcyaml -lyaml -lfdt -ljansson -lz

# mkbundle SET.yaml CONTROL.elf RAMFILE: the RAM file without `avctl up`, for QEMU by hand.
mkbundle: $(B)/mkbundle
.PHONY: mkbundle
$(B)/mkbundle: tests/system/mkbundle.c $(CONFIG_SRC) $(wildcard avctl/config/*.h avctl/bundle/*.h abi/avisor/*.h) \
		hypervisor/core/manifest.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)gcc $(AVCTL_CFLAGS) -o $@ $(filter %.c,$^) $(CONFIG_LIBS)

UNITS += config
UNIT_config_SRC := tests/unit/test_config.c tests/unit/config_files.c $(CONFIG_SRC)
UNIT_config_LIBS := $(CONFIG_LIBS)

UNITS += manifest
UNIT_manifest_SRC := tests/unit/test_manifest.c hypervisor/core/manifest.c

UNITS += bundle
UNIT_bundle_SRC := tests/unit/test_bundle.c tests/unit/config_files.c $(CONFIG_SRC)
UNIT_bundle_LIBS := $(CONFIG_LIBS)

# Static libraries, so that the wrapped allocation functions are theirs too.
UNITS += config_memory
UNIT_config_memory_SRC := tests/unit/test_config_memory.c tests/unit/config_files.c $(CONFIG_SRC)
UNIT_config_memory_LIBS := -l:libcyaml.a -l:libyaml.a -lfdt -ljansson -lz \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc

# make fuzz-yaml fuzz-manifest fuzz-image: each for FUZZ_SECONDS, from the corpus in the tree.
FUZZ_SECONDS ?= 30
FUZZ_CFLAGS := -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE \
	-Iabi -Ihypervisor -Iavctl -Itests/unit
FUZZ_yaml_SRC := tests/unit/config_files.c $(CONFIG_SRC)
FUZZ_manifest_SRC := hypervisor/core/manifest.c
FUZZ_image_SRC := tests/unit/config_files.c avctl/bundle/image.c avctl/bundle/unpack.c avctl/bundle/place.c
.PHONY: fuzz-yaml fuzz-manifest fuzz-image
fuzz-yaml fuzz-manifest fuzz-image: fuzz-%: $(B)/fuzz/%
	@mkdir -p $(B)/fuzz/corpus-$*
	$(B)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(B)/fuzz/ -print_final_stats=0 -verbosity=0 -timeout=20 \
		-max_len=8192 $(B)/fuzz/corpus-$* $(if $(filter yaml,$*),tests/unit/yaml)
$(B)/fuzz/%: tests/fuzz/fuzz_%.c $(CONFIG_SRC) tests/unit/config_files.c $(wildcard tests/unit/*.h)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -o $@ $< $(FUZZ_$*_SRC) $(CONFIG_LIBS)

UNITS += value
UNIT_value_SRC := tests/unit/test_value.c avctl/config/value.c

UNITS += config_fields
UNIT_config_fields_SRC := tests/unit/test_config_fields.c tests/unit/config_files.c $(CONFIG_SRC)
UNIT_config_fields_LIBS := $(CONFIG_LIBS)

UNITS += own_files
UNIT_own_files_SRC := tests/unit/test_own_files.c tests/unit/config_files.c $(CONFIG_SRC)
UNIT_own_files_CFLAGS := '-DUNPACK_SIZE_MAX=(UINT64_C(2)<<20)'
UNIT_own_files_LIBS := $(CONFIG_LIBS)
