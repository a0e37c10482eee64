#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# history.bats - what avctl says about many snapshots: the tree, what is in one, what differs, what is kept, tags and
# notes. On a machine played by fake_qemu.py; differ.bats does it on a real one.

load played

@test "the tree shows parents, deleted ones, and where the VM is" {
	up
	for i in 0 1 2; do
		avctl -q snapshot take vm1 >/dev/null
	done
	avctl -q restore vm1 --id 0 --no-undo >/dev/null
	avctl -q snapshot take vm1 --name other >/dev/null
	avctl snapshot delete vm1 1 >/dev/null
	export LC_ALL=C
	code 0 avctl snapshot list vm1 --tree
	diff - <(cut -c 1-19 <<<"$output" | sed 's/ *$//') <<-'END'
		ID        NAME
		boot      -
		|-0       -
		| `-3     other
		|   `-now (the VM a
		`-1       (deleted)
		  `-2     -
	END
	LC_ALL=C.UTF-8 avctl snapshot list vm1 --tree >utf8
	grep -q '└─now' utf8
}

@test "the tree is in the JSON too, and the rows stay what they are" {
	up
	for i in 0 1 2; do
		avctl -q snapshot take vm1 >/dev/null
	done
	avctl snapshot delete vm1 1 >/dev/null
	avctl snapshot list vm1 --tree -o json >tree
	json 'd["trees"]["vm1"]' <tree >found
	cat >wanted <<-'END'
		{'id': 'boot', 'current': False, 'deleted': False, 'children': [{'id': 0, 'current': False, 'deleted': False, 'children': []}, {'id': 1, 'current': False, 'deleted': True, 'children': [{'id': 2, 'current': False, 'deleted': False, 'children': [{'id': 'now', 'current': True, 'deleted': False, 'children': []}]}]}]}
	END
	diff wanted found
	[ "$(json '[s["id"] for s in d["snapshots"]]' <tree)" = "['boot', 0, 2]" ]
	[ "$(avctl snapshot list vm1 --tree -o name | tr '\n' ' ')" = "boot 0 2 " ]
	# Of all VMs: a tree each.
	code 0 avctl snapshot list --tree
	[ "$(grep -c '^boot' <<<"$output")" = 2 ]
	[ "$(grep -c 'VM as it is' <<<"$output")" = 2 ]
}

@test "after undo the VM stands where it was before" {
	up
	avctl -q snapshot take vm1 >/dev/null
	avctl -q snapshot take vm1 >/dev/null
	avctl -q restore vm1 --id 0 >/dev/null
	avctl -q restore vm1 --undo --no-undo >/dev/null
	avctl snapshot list vm1 --tree -o json >tree
	json 'd["trees"]["vm1"]["children"][0]["children"][0]["children"]' <tree | grep -q "'now'"
}

@test "prune keeps by number, age and tag, with a reason for each" {
	up
	for i in 0 1 2 3; do
		avctl -q snapshot take vm1 >/dev/null
	done
	avctl snapshot tag vm1 0 good=yes >/dev/null
	avctl snapshot pin vm1 1 >/dev/null
	avctl -q snapshot prune vm1 --keep-last 1 --keep-tag good -n -o json >plan
	json '[(s["id"], s["action"], s["reason"]) for s in d["snapshots"]]' <plan >found
	echo "[(0, 'keep', 'has the tag good'), (1, 'keep', 'pinned'), (2, 'delete', 'no rule keeps it')," \
		"(3, 'keep', 'among the last 1')]" | diff - found
	code 0 avctl -q snapshot prune vm1 --keep-tag good=no -n
	[ "$(grep -c ' delete ' <<<"$output")" = 3 ]
	code 0 avctl -q snapshot prune vm1 --keep-within 1h -n
	[ "$(grep -c ' keep  *taken within 1h' <<<"$output")" = 3 ]
	code 0 avctl -q snapshot prune vm1 --keep-within 1us
	[ "$(avctl snapshot list vm1 -o name)" = 1 ]
	code 2 avctl snapshot prune vm1 --keep-within soon
	code 2 avctl snapshot prune vm1 --keep-tag 'not a tag'
}

@test "rules that would delete everything are refused" {
	up
	avctl -q snapshot take vm1 >/dev/null
	avctl -q snapshot take vm1 >/dev/null
	code 4 avctl snapshot prune vm1 --keep-within 1us
	says "these rules would delete all 2 snapshots of vm1"
	says "hint: --keep-last 1"
	[ "$(avctl snapshot list vm1 -o name | wc -l)" = 2 ]
	code 4 avctl snapshot prune vm1 --keep-last 0 -n
	avctl snapshot pin vm1 0 >/dev/null
	code 0 avctl -q snapshot prune vm1 --keep-last 0
	[ "$(avctl snapshot list vm1 -o name)" = 0 ]
}

@test "what expires is deleted by the next take and by prune, but for pinned ones and the newest" {
	sed -i 's/{keep: 2}/{expire: 1s}/' duo.yaml
	code 0 avctl config show duo.yaml
	prints "expire: 1000000000ns"
	up
	avctl -q snapshot take vm1 --pin >/dev/null
	avctl -q snapshot take vm1 >/dev/null
	python3 -c 'import time; time.sleep(1.1)'
	code 0 avctl snapshot prune vm1 -n -o json
	[ "$(json '[(s["action"], s["reason"]) for s in d["snapshots"]]' <<<"$output")" = \
		"[('keep', 'pinned'), ('keep', 'expired, but the newest')]" ]
	code 0 avctl snapshot take vm1
	says "1 expired snapshot was deleted"
	[ "$(avctl snapshot list vm1 -o name | tr '\n' ' ')" = "0 2 " ]
	sed -i 's/expire: 1s/expire: 10ms/' duo.yaml
	code 5 avctl config check duo.yaml
}

@test "tags and notes are kept with the snapshot, and go with it and the machine" {
	up
	avctl -q snapshot take vm1 --name clean >/dev/null
	code 0 avctl snapshot tag vm1 clean good build=1234
	prints "vm1@0 good build=1234"
	code 0 avctl snapshot tag vm1 0 build=5678
	code 0 avctl snapshot note vm1 0 "before the driver: ü"
	avctl snapshot list vm1 -o json >list
	[ "$(json '(d["snapshots"][0]["tags"], d["snapshots"][0]["note"])' <list)" = \
		"(['good', 'build=5678'], 'before the driver: ü')" ]
	code 0 avctl snapshot list vm1
	prints "good build=5678"
	code 0 avctl snapshot tag vm1 0 --remove good
	prints "vm1@0 build=5678"
	code 0 avctl snapshot note vm1 0 ''
	[ "$(avctl snapshot list vm1 -o json | json 'd["snapshots"][0]["note"]')" = None ]
	code 0 avctl -q snapshot take vm1 --tag late --note 'as it is' --pin
	avctl snapshot list vm1 -o json | json 'd["snapshots"][-1]["tags"], d["snapshots"][-1]["note"]' >found
	echo "(['late'], 'as it is')" | diff - found
	avctl snapshot unpin vm1 1 >/dev/null
	avctl snapshot delete vm1 1 >/dev/null
	code 2 avctl snapshot take vm1 --tag 'no tag'
	code 2 avctl snapshot take vm1 --note "$(head -c 401 /dev/zero | tr '\0' x)"
	code 2 avctl snapshot take vm1 --note $'\xff'
	code 2 avctl snapshot tag vm1 0
	code 2 avctl snapshot tag vm1 0 'a b'
	code 2 avctl snapshot tag vm1 0 Upper
	code 3 avctl snapshot tag vm1 7 good
	code 4 avctl snapshot tag vm1 boot good
	# The file forgets snapshots that are gone; another machine's is no good.
	avctl -q snapshot take vm1 >/dev/null
	avctl snapshot delete vm1 0 >/dev/null
	avctl snapshot tag vm1 2 other >/dev/null
	! grep -q 5678 "$XDG_RUNTIME_DIR/avisor/duo/notes.json"
	cp "$XDG_RUNTIME_DIR/avisor/duo/notes.json" notes
	avctl -q down
	[ ! -e "$XDG_RUNTIME_DIR/avisor/duo/notes.json" ]
	up
	avctl -q snapshot take vm1 >/dev/null
	avctl -q snapshot take vm1 >/dev/null
	cp notes "$XDG_RUNTIME_DIR/avisor/duo/notes.json"
	[ "$(avctl snapshot list vm1 -o json | json '[s["tags"] for s in d["snapshots"]]')" = "[[], []]" ]
	echo '{"machine": 7, "vms": []}' >"$XDG_RUNTIME_DIR/avisor/duo/notes.json"
	code 0 avctl snapshot tag vm1 1 again
}

@test "show tells all about one snapshot" {
	up
	avctl -q snapshot take vm1 --name clean >/dev/null
	avctl snapshot tag vm1 0 good >/dev/null
	code 0 avctl snapshot show vm1 clean
	for line in 'Name  *clean' 'Parent  *boot' 'State  *running' 'Private memory  *64 KiB' 'Shared memory  *1.2 MiB' \
		'Deletion frees  *72 KiB' 'Tags  *good' 'vCPU 0  *pc 0x1000 pstate 0x3c5'; do
		grep -qx -e "$line" <<<"$output" || { echo "no $line in: $output"; false; }
	done
	code 0 avctl snapshot show vm1 latest -o json
	[ "$(json '(d["id"], d["vm"], d["tags"], d["vcpus"])' <<<"$output")" = \
		"(0, 'vm1', ['good'], [{'index': 0, 'pc': '0x1000', 'pstate': '0x3c5', 'on': True}])" ]
	code 0 avctl snapshot show vm1 boot
	code 3 avctl snapshot show vm1 undo
	code 3 avctl snapshot show vm1 7
	says "no snapshot 7 of vm1"
	code 2 avctl snapshot show vm1 'A B'
}

@test "diff ends with 0 when only frames differ, with 10 when state does, and never reads beyond the RAM file" {
	up
	avctl -q snapshot take vm1 >/dev/null
	avctl -q snapshot take vm1 --name other >/dev/null
	code 0 avctl snapshot diff vm1 0 other
	prints "0 pages (0 B) differ; 3 more written, with the same contents"
	avctl -q pause vm1
	avctl -q snapshot take vm1 >/dev/null
	code 10 avctl snapshot diff vm1 0 2
	grep -qx 'vcpu 0 pc  *- 0x1000  *+ 0x2000' <<<"$output"
	grep -qx 'vcpu 0 q0-q31  *- (differ)  *+ (differ)' <<<"$output"
	prints "device clock differs"
	code 10 avctl snapshot diff vm1 0 -o json
	[ "$(json '(d["a"], d["b"], d["differs"], d["pages_same_contents"])' <<<"$output")" = "('0', 'live', True, 3)" ]
	code 3 avctl snapshot diff vm1 0 9
	code 3 avctl snapshot diff vm1 nothing
	code 2 avctl snapshot diff vm1 0 1 2
	avctl agent fake beyond=$((0x7fff00000000)) >/dev/null
	code 1 avctl snapshot diff vm1 0 2
	says "is not in /"
}
