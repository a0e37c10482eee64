/* SPDX-License-Identifier: MIT */
/* cpu_offsets.h - what assembly knows of struct cpu and struct vcpu; checked by static_assert in core/vcpu.c. */
#pragma once
#define CPU_STACK 0
#define CPU_STACK_SIZE 16384
#define VCPU_PC 248
#define VCPU_PSTATE 256
#define VCPU_MEMORY 456 /* bytes of it that are never in the PE */
