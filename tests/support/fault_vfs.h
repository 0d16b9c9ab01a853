/*
 * An SQLite VFS over the usual one that fails its n-th call that changes
 * something, or writes down every such call so that a crash between any two of
 * them can be played again.
 */
#ifndef SUPPORT_FAULT_VFS_H
#define SUPPORT_FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_file { FAULT_DB, FAULT_WAL, FAULT_OTHER };
enum fault_call { FAULT_WRITE, FAULT_TRUNCATE, FAULT_SYNC, FAULT_DELETE };

struct fault_op {
    enum fault_file file;
    enum fault_call call;
    uint64_t offset; /* of a write; the size of a truncation */
    size_t n;
    uint8_t *bytes;
};

/* Becomes the default VFS; calls pass through until armed. */
void fault_vfs_install(void);
/* The n-th call from now (1: the next) fails with this SQLite result, and all after it. */
void fault_vfs_fail(uint64_t n, int result);
/* True when the failure has happened. */
bool fault_vfs_fired(void);
/* Write calls down from now on; syncs are noted, not carried out. */
void fault_vfs_record(void);
void fault_vfs_pass(void);
size_t fault_vfs_count(void);
const struct fault_op *fault_vfs_ops(void);
void fault_vfs_forget(void);

#endif
