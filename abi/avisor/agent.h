/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the line protocol between avctl and a guest agent, over one virtio-serial port.
 *
 *   request   ID VERB key=value...\n
 *   reply     ID row key=value...\n   (none, one or many)
 *             ID ok key=value...\n     or     ID err code=NAME msg="..."\n
 *
 * ID is 1 to 16 lower-case hex digits, chosen by the client, random 64 bits. A value is either a run of bytes
 * 0x21..0x7e without '"' and '\', or a string in double quotes in which \" \\ \n \r \t \xHH are the escapes; nothing
 * outside printable ASCII stands unescaped. Numbers are decimal, or 0x hex for addresses. An empty line is ignored. A line of
 * more than AV_LINE_MAX bytes, newline included, is skipped to its end and answered "0 err code=TOO_LONG".
 * The byte AV_LINE_CANCEL forgets what came of the line so far: a client begins with it and a newline, so that half a
 * line of one that died is not ended, and done, by the next.
 * A malformed line is answered "0 err code=MALFORMED" (with its ID if that could be read), an unknown
 * verb "ID err code=UNKNOWN_VERB", a missing or wrong argument "ID err code=INVALID msg=...".
 * The agent never speaks unasked, except one hello line ("0 hello ...") when the port is opened by the host;
 * `hello` asks for the same as a reply.
 *
 * err code is one of the names below without AV_E_ (NOT_FOUND, WRONG_STATE, ...), or TOO_LONG, MALFORMED,
 * UNKNOWN_VERB.
 */
#pragma once

#define AV_LINE_MAX 4096
#define AV_LINE_CANCEL 0x18                  /* CAN */
#define AV_AGENT_PORT "org.avisor.agent"     /* a VM's own agent: port 1 of its virtio-console */
#define AV_CONTROL_PORT "org.avisor.control" /* the control VM's */

/*
 * Verbs of the control agent. vm= is a name. [] optional.
 *
 * hello                                ok proto=1 abi=1.0 version=STR features=HEX boots=N vms=N debug=0|1
 * ping                                 ok
 * vms                                  row per VM: name index state vcpus ram_base ram_size generation snapshots base origin
 *                                      frames_used frames_budget ram_frames dirty_frames uptime_ns restarts cpu
 *                                      flags [slot of a clone or an empty slot] [source source_id of a clone] clones
 *                                      [reason pc esr far word when crashed]; control VM included (flags bit 0), and spare
 *                                      slots, with state=empty and the most a clone there may have
 * vm vm=                               the same as one row
 * stats vm=                            row: hvc= smc= wfi= sysreg= mmio= touch= write= fault= irq= abort= other= cpu_ns= tlbi_local=
 *                                      tlbi_broadcast= pages_copied= pages_zeroed= nodes_copied= cache_syncs= evictions=
 *                                      console_bytes= console_dropped= input_dropped= unknown_hvc= copied_back= kept=
 *                                      restore_ns=
 * machine                              row: frames_total= frames_free= counter_hz= uptime_ns= cpus= vms= regions= debug= control_restarts=
 *                                      event_next= log_next= shm_pages= shm_used= set_pages= set_used=
 * pause|resume|stop vm=                ok state=
 * start|restart vm= [paused=1]         ok state= generation=
 * take vm= [name=] [request=HEX]       ok id= evicted=N paused_ns= ; with a request id that a snapshot carries: ok id= found=1
 * restore vm= id=N|name=|latest=1|boot=1|undo=1 [keep_undo=1] [paused=1]
 *                                      ok id= generation= undo=kept|skipped|off paused_ns=
 * snapshots vm=                        row per snapshot, boot and undo included (id=boot, id=undo): id parent name request taken_ns
 *                                      vm_time_ns unique shared reclaimable pinned state base clones [set=N]
 * clone vm= id=N|name=|latest=1|boot=1 as=NAME slot=NAME [paused=1]
 *                                      ok id= generation= took_ns= ; as is the new VM's name
 * remove vm=                           ok (a clone; all it held is free)
 * delete vm= id=N|name=|undo=1         ok id=
 * set vm= id=N|name= [new_name=] [pinned=0|1]   ok id=
 * take-all [name=] [request=HEX]       of all VMs at once: as take. An error that is one VM's has vm=, as for the next two
 * restore-all id=N|name=|latest=1|undo=1 [keep_undo=1] [paused=1]
 *                                      ok id= regions_gone=N undo=kept|skipped|off paused_ns=
 * delete-all id=N|name=|latest=1|undo=1   ok id=
 * sets                                 row per set snapshot, undo last: id name request taken_ns regions region_pages frames parts=vm1:3,vm2:0, or vm1:undo
 * diff vm= a=ID b=ID [from=HEX]        ID is a number, live, boot, undo or none. Row per run of pages with different frames: ipa count pa_a pa_b
 *                                      (0x0: none); ok next=HEX, to go on from; AV_DIFF_END at the end
 * state vm= id=ID                      row per part of the state: part [vcpu] size sum [value] [x0 ... x30 pc pstate ... of a vCPU]
 * shape vm=                            row per CRm: crm id0 ... id7; ok ram_base= ram_size= vcpus= flags= parts= counter_hz= clock_origin= midr= ctr=
 * places vm= id=N|boot|undo|import     row per part of the state: part size pa
 * import-begin vm=                     ok ; a new connection of a client drops what was begun and not committed
 * import-pages vm= ipa=HEX count=N     row per run: ipa count pa; ok done=N, to go on from
 * import-commit vm= vm_ticks=N state=N [name=]   ok id=
 * import-abort                         ok dropped=0|1
 * regions                              row per region, those got at run time included: name ipa size pa members=NAME:ro,NAME:rw
 *                                      numbers=0,1 (of the members) number common output key serial intid
 * events since=N                       row per event: seq time_ns kind vm a b text ; ok next=N lost=N ; at most 64 rows
 * log since=N                          row: at=N data="..." (at most 1 KiB of log a row, 8 rows) ; ok next=N lost=N
 * drain vm=                            ok  (reaper of that VM run dry)
 * audit vm=                            ok frames= | err code=INTEGRITY
 * hook name=crash|hang                 debug builds: ok, then the agent crashes at the next command, or spins for ever
 *
 * Verbs of any agent: hello, ping, and what needs the guest's own cooperation (NOT_SUPPORTED where there is nothing to do):
 *
 * quiesce [hook_ms=N] [hold_ms=N]      row per hook: hook= result=done|failed|timeout code= ; ok mounts= hooks= failed=
 *                                      Hooks, sync, then file systems frozen. It ends by thaw, when the client leaves, hold_ms
 *                                      after the ok (10000 if not said), and when the VM is restored. WRONG_STATE: it is so already
 * thaw                                 ok held=0|1 mounts= hooks= failed= ; held=0: nothing was held any more
 */
