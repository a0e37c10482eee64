/* SPDX-License-Identifier: MIT */
/* ports.h - which host port belongs to which device of which VM. */
#pragma once
#include "core/vm.h"

void ports_claim(struct vm *vm);
