# SPDX-License-Identifier: MIT
# Decoding of calls and of accesses.
UNITS += call_decode
UNIT_call_decode_SRC := tests/unit/test_call_decode.c hypervisor/core/call_decode.c
UNITS += access
UNIT_access_SRC := tests/unit/test_access.c hypervisor/core/access.c
