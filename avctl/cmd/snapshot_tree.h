/* SPDX-License-Identifier: MIT */
/*
 * snapshot_tree.h - the tree that the parents of snapshots make.
 */
#pragma once
#include "cmd/snapshot_rows.h"

/*
 * Turn the rows of snapshot_rows() (boot included, of one VM or several) into a tree: each below
 * its parent; a parent that is deleted gets a row of its own below boot, as nobody knows its
 * parent any more; and the VM as it is now stands as a leaf, "now", below the snapshot that it was
 * last taken or restored at. Document gets the same as "trees". Only what is printed as a table
 * gets the additional rows.
 */
int snapshot_tree(struct ctx *ctx, struct table *table, struct column *columns, json_t *document);
