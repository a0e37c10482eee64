# SPDX-License-Identifier: MIT
# File calls of guests: confinement, the server, the guests' library against it, and hostile regions.
SERVE_SRC := avctl/serve/confine.c avctl/serve/files.c avctl/serve/slot.c avctl/serve/server.c
FORWARD_SRC := guest-agent/baremetal/forward.c guest-agent/baremetal/forward_calls.c

UNITS += confine
UNIT_confine_SRC := tests/unit/test_confine.c avctl/serve/confine.c
UNIT_confine_LIBS := -lpthread

UNITS += serve
UNIT_serve_SRC := tests/unit/test_serve.c $(SERVE_SRC) $(FORWARD_SRC)

UNITS += serve_life
UNIT_serve_life_SRC := tests/unit/test_serve_life.c $(SERVE_SRC) $(FORWARD_SRC)

UNITS += serve_hostile
UNIT_serve_hostile_SRC := tests/unit/test_serve_hostile.c $(SERVE_SRC) $(FORWARD_SRC)
UNIT_serve_hostile_CFLAGS := -Itests/fuzz
UNIT_serve_hostile_LIBS := -lpthread
$(B)/unit/serve_hostile: tests/fuzz/forward_steps.h

# make fuzz-forward, for FUZZ_SECONDS.
.PHONY: fuzz-forward
fuzz-forward: $(B)/fuzz-forward/fuzz
	@mkdir -p $(<D)/corpus
	$< -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(<D)/ -print_final_stats=0 -verbosity=0 -timeout=20 \
		-max_len=4096 $(<D)/corpus
$(B)/fuzz-forward/fuzz: tests/fuzz/fuzz_forward.c tests/fuzz/forward_steps.h $(SERVE_SRC) $(wildcard avctl/serve/*.h)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -Itests/fuzz -o $@ $< $(SERVE_SRC)
