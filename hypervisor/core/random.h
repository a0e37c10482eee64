/* SPDX-License-Identifier: MIT */
/* random.h - identities: derived from the manifest's entropy, never repeated for another VM or generation. */
#pragma once
#include <stdint.h>

void random_seed(const uint8_t entropy[32]);
void random_derive(uint64_t vm, uint64_t generation, uint64_t identity[2]);
