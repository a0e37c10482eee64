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
