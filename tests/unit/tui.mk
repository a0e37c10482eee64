# SPDX-License-Identifier: MIT
UNITS += tui
UNIT_tui_SRC := tests/unit/test_tui.c avctl/tui/shm_view.c avctl/tui/shm_model.c avctl/tui/shm_history.c avctl/tui/shm_layout.c \
		avctl/tui/shm_field.c avctl/tui/shm_find.c avctl/tui/shm_expr.c avctl/tui/shm_text.c
UNIT_tui_LIBS := -ljansson -lm

UNITS += tui_panel
UNIT_tui_panel_SRC := tests/unit/test_tui_panel.c avctl/tui/shm_view.c avctl/tui/shm_model.c avctl/tui/shm_history.c \
		      avctl/tui/shm_layout.c avctl/tui/shm_field.c avctl/tui/shm_find.c avctl/tui/shm_text.c avctl/tui/grid.c \
		      $(wildcard avctl/tui/shm_panel*.c) avctl/tui/shm_chooser.c avctl/out/out.c
UNIT_tui_panel_LIBS := -ljansson -lm

UNITS += tui_field
UNIT_tui_field_SRC := tests/unit/test_tui_field.c avctl/tui/shm_field.c avctl/tui/shm_find.c avctl/tui/shm_expr.c \
		      avctl/tui/shm_text.c avctl/tui/shm_view.c
UNIT_tui_field_LIBS := -ljansson -lm

UNITS += tui_keys
UNIT_tui_keys_SRC := tests/unit/test_tui_keys.c $(filter avctl/%,$(UNIT_tui_panel_SRC))
UNIT_tui_keys_LIBS := -ljansson -lm

UNITS += top
UNIT_top_SRC := tests/unit/test_top.c avctl/tui/top_model.c avctl/tui/top_panel.c avctl/tui/grid.c avctl/out/out.c
UNIT_top_LIBS := -ljansson

# make fuzz-expr: for FUZZ_SECONDS (tests/unit/config.mk).
.PHONY: fuzz-expr
fuzz-expr: $(B)/fuzz/expr
	@mkdir -p $(B)/fuzz/corpus-expr
	$(B)/fuzz/expr -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(B)/fuzz/ -print_final_stats=1 -verbosity=0 -timeout=20 \
		-max_len=600 $(B)/fuzz/corpus-expr
$(B)/fuzz/expr: tests/fuzz/fuzz_expr.c avctl/tui/shm_expr.c avctl/tui/shm_field.c avctl/tui/shm_find.c
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -o $@ $^ -lm
