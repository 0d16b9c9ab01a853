/* Private to src/log: writes to the WAL, one a transaction. */
#ifndef LOG_WAL_VFS_H
#define LOG_WAL_VFS_H

#include <sqlite3.h>

/* The name of the VFS, for sqlite3_open_v2; NULL: SQLite would not have it, the default serves.
 * Which VFS is the default may change only while no log is open. */
const char *wal_vfs(void);

#endif
