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
