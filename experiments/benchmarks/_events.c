/* Counts what a process does to files, and ends it by SIGKILL at the n-th event of a kind.
 *
 * Loaded by LD_PRELOAD; it counts nothing until it is armed. A write may be torn: half of it is written before the end.
 * What libc does inside itself, as fwrite does, it does not see.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, ENTRY, FSYNC, KINDS };

static atomic_long counts[KINDS];
static atomic_int armed;
static int end_kind = -1, is_torn;
static long end_at;

/* Begins to count, from nothing. Kind -1 ends nothing. */
void events_arm(int kind, long at, int torn) {
    for (int i = 0; i < KINDS; i++) counts[i] = 0;
    end_kind = kind, end_at = at, is_torn = torn;
    armed = 1;
}

void events_disarm(void) { armed = 0; }

long events_counted(int kind) { return counts[kind]; }

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether this is the event that the process is to end at. */
static int is_last(int kind) {
    return armed && atomic_fetch_add(&counts[kind], 1) + 1 == end_at && kind == end_kind;
}

static int is_file(int fd) {
    struct stat found;
    return armed && fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(result, name, parameters, arguments, half)                                                              \
    result name parameters {                                                                                           \
        if (is_file(fd) && is_last(WRITE)) {                                                                           \
            if (is_torn) (void)!REAL(name) half;                                                                       \
            end();                                                                                                     \
        }                                                                                                              \
        return REAL(name) arguments;                                                                                   \
    }

WRITES(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), (fd, data, size / 2))
WRITES(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), (fd, data, size / 2, at))
WRITES(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
       (fd, data, size / 2, at))
WRITES(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), (fd, parts, count / 2))
WRITES(int, ftruncate, (int fd, off_t size), (fd, size), (fd, size))
WRITES(int, ftruncate64, (int fd, off64_t size), (fd, size), (fd, size))

#define CALLS(kind, name, parameters, arguments)                                                                       \
    int name parameters {                                                                                              \
        if (is_last(kind)) end();                                                                                      \
        return REAL(name) arguments;                                                                                   \
    }

CALLS(ENTRY, rename, (const char *old, const char *new), (old, new))
CALLS(ENTRY, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new))
CALLS(ENTRY, renameat2, (int from, const char *old, int to, const char *new, unsigned flags),
      (from, old, to, new, flags))
CALLS(ENTRY, unlink, (const char *path), (path))
CALLS(ENTRY, unlinkat, (int at, const char *path, int flags), (at, path, flags))
CALLS(ENTRY, mkdir, (const char *path, mode_t mode), (path, mode))
CALLS(ENTRY, rmdir, (const char *path), (path))
CALLS(FSYNC, fsync, (int fd), (fd))
CALLS(FSYNC, fdatasync, (int fd), (fd))
