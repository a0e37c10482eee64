# SPDX-License-Identifier: MIT
# The line protocol and the agent's core.
AGENT_CORE := $(wildcard guest-agent/core/*.c)

UNITS += line service
UNIT_line_SRC := tests/unit/test_line.c guest-agent/core/line.c
UNIT_service_SRC := tests/unit/test_service.c $(AGENT_CORE)
