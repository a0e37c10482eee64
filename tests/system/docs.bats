#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# docs.bats - what the documents say is so. Starts no QEMU.

setup()
{
	TOP=$BATS_TEST_DIRNAME/../..
	AVCTL=$(realpath "${AVCTL:-$TOP/${B:-build}/avctl}")
}

@test "every YAML key and choice is in docs/avctl.yaml.md" {
	"$AVCTL" config schema >"$BATS_TEST_TMPDIR/schema"
	run python3 - "$BATS_TEST_TMPDIR/schema" "$TOP/docs/avctl.yaml.md" <<-'END'
	import json, sys
	text = open(sys.argv[2]).read()
	words = set()
	def walk(node):
	    if isinstance(node, dict):
	        words.update(node.get("properties", {}))
	        enum = node.get("enum", []) # or a key of that name
	        words.update(w for w in enum if isinstance(enum, list) and isinstance(w, str))
	        for value in node.values():
	            walk(value)
	    elif isinstance(node, list):
	        for value in node:
	            walk(value)
	walk(json.load(open(sys.argv[1])))
	assert "members" in words and "evict-oldest" in words, words
	words -= {"true", "false"}
	print("missing:", sorted(w for w in words if "`" + w + "`" not in text and w + ":" not in text
	                         and ": " + w not in text))
	END
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = 'missing: []' ]
}

@test "the example of docs/avctl.yaml.md is configs/duo.yaml" {
	sed -n '/^```yaml$/,/^```$/{p;/^```$/q}' "$TOP/docs/avctl.yaml.md" | grep -v '^```' >"$BATS_TEST_TMPDIR/doc"
	grep -v -e '^#' -e '^    cpus: 1$' "$TOP/configs/duo.yaml" | diff "$BATS_TEST_TMPDIR/doc" -
}

@test "every set in configs/ is one as it stands, says what it shows, and names the verbs that there are" {
	# Those of Linux and U-Boot need files that `make linux-guest` fetches: linux.bats, firmware.bats.
	for file in "$TOP"/configs/*.yaml; do
		[[ "$(head -n 1 "$file")" == '# '* ]] || {
			echo "$file does not say what it shows"
			return 1
		}
		case $file in
		*/linux*.yaml | */u-boot.yaml) continue ;;
		esac
		sed "s,\.\./build/,$(dirname "$AVCTL")/," "$file" >"$BATS_TEST_TMPDIR/$(basename "$file")"
		"$AVCTL" -f "$BATS_TEST_TMPDIR/$(basename "$file")" config check
		grep '^#' "$file" | grep -oE 'avctl (-f [^ ]+ )?[a-z]+( [a-z]+)?' | sed -E 's/^avctl (-f [^ ]+ )?//' | while read -r verb; do
			"$AVCTL" help $verb >/dev/null 2>&1 || "$AVCTL" help "${verb%% *}" >/dev/null 2>&1 || {
				echo "$file: no such verb: $verb"
				exit 1
			}
		done
	done
}

@test "every verb that the README names is one" {
	# Code only: the shell block, and what stands between backticks.
	{
		sed -n '/^```sh$/,/^```$/p' "$TOP/README.md"
		grep -oE '`avctl [^`]*`' "$TOP/README.md" | tr -d '`'
	} | grep -oE 'avctl (-f [^ ]+ )?[a-z]+( [a-z]+)?' | sed -E 's/^avctl (-f [^ ]+ )?//' |
		sort -u >"$BATS_TEST_TMPDIR/verbs"
	[ -s "$BATS_TEST_TMPDIR/verbs" ]
	while read -r verb; do
		[ "${verb%% *}" = help ] && continue
		"$AVCTL" help $verb >/dev/null 2>&1 || "$AVCTL" help "${verb%% *}" >/dev/null 2>&1 || {
			echo "no such verb: $verb"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/verbs"
}

@test "every verb is in the README's table" {
	"$AVCTL" help | sed -n '/^Verbs:/,/^$/s/^  \([a-z-][a-z ]*[a-z]\|-\)  .*/\1/p' >"$BATS_TEST_TMPDIR/verbs"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/verbs")" -gt 25 ]
	sed -n '/^| verb |/,/^$/p' "$TOP/README.md" >"$BATS_TEST_TMPDIR/table"
	while read -r verb; do
		# `snapshot take` `list`: the first word once a row, the second one in the same row.
		grep -F "\`${verb%% *}" "$BATS_TEST_TMPDIR/table" | grep -qE "[\` ]${verb##* }\`" || {
			echo "not in the README's table: $verb"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/verbs"
}

@test "every link to a file of this tree leads somewhere" {
	for page in README.md CAVEATS.md abi/README.md docs/avctl.yaml.md docs/serve.md docs/shared.md docs/snapshot-file.md; do
		grep -oE '\]\([^)#]+\)' "$TOP/$page" | sed 's/^](//; s/)$//' | grep -v '^http' | while read -r link; do
			[ -e "$(dirname "$TOP/$page")/$link" ] || {
				echo "$page: $link"
				exit 1
			}
		done
	done
}

@test "every link within a page leads to a heading of it" {
	for page in README.md CAVEATS.md abi/README.md docs/avctl.yaml.md docs/serve.md docs/shared.md docs/snapshot-file.md; do
		grep -oE '\]\(#[^)]+\)' "$TOP/$page" | sed 's/^](#//; s/)$//' | while read -r link; do
			sed -n 's/^##* //p' "$TOP/$page" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9\n-' | grep -qxF "$link" || {
				echo "$page: #$link"
				exit 1
			}
		done
	done
}

@test "the errors of docs/serve.md are those of forward.h" {
	sed -n 's/^| `\([A-Z_]*\)` | -\([0-9]*\) | \(.*\) |$/\1 \2 \3/p' "$TOP/docs/serve.md" >"$BATS_TEST_TMPDIR/docs"
	tr '\n\t' '  ' <"$TOP/abi/avisor/forward.h" | tr -d '\\' | grep -oE 'ERROR\([A-Z_]+, *[0-9]+, *"[^"]*"' |
		sed -E 's/ERROR\(([A-Z_]+), *([0-9]+), *"([^"]*)"/\1 \2 \3/' >"$BATS_TEST_TMPDIR/header"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/docs")" -gt 20 ]
	diff "$BATS_TEST_TMPDIR/docs" "$BATS_TEST_TMPDIR/header"
}
