/* Counts the calls by which a process changes files, and kills it or lets a call fail at the n-th. Preloaded
 * (LD_PRELOAD); fault_arm() begins to count. Counted are: opening for writing, and folders; write, ftruncate, fsync,
 * fchmod, fchown, flock, close of what was so opened; rename, link, unlink, mkdir, rmdir. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OFF, KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_FROM, SHORT_WRITES };
enum { MAX_FILES = 4096 };

static int mode, place, code, count;
static char watched[MAX_FILES];

void fault_arm(int new_mode, int new_place, int new_code) {
    mode = new_mode;
    place = new_place;
    code = new_code;
    count = 0;
}
int fault_count(void) {
    return count;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Before a call: whether it is to fail. Calls that no signal interrupts do not fail with EINTR. */
static int fails(int interruptible) {
    if (mode == OFF) return 0;
    ++count;
    if (mode == KILL_BEFORE && count == place) end();
    if ((mode == FAIL_ONCE && count == place) || (mode == FAIL_FROM && count >= place)) {
        if (code == EINTR && !interruptible) return 0;
        errno = code;
        return 1;
    }
    return 0;
}
static void done(void) {
    if (mode == KILL_AFTER && count == place) end();
}

static int is_watched(int file) {
    return mode != OFF && file >= 0 && file < MAX_FILES && watched[file];
}
static void* next(const char* name) {
    void* found = dlsym(RTLD_NEXT, name);
    if (!found) end();
    return found;
}

#define OPEN(name, parameters, arguments, type)                          \
    int name parameters {                                                \
        mode_t rights = 0;                                               \
        if (flags & (O_CREAT | __O_TMPFILE)) {                           \
            va_list list;                                                \
            va_start(list, flags);                                       \
            rights = va_arg(list, mode_t);                               \
            va_end(list);                                                \
        }                                                                \
        const int counted = flags & (O_WRONLY | O_RDWR | O_DIRECTORY);   \
        if (counted && fails(1)) return -1;                              \
        const int file = ((int(*) type)next(#name))arguments;            \
        if (file >= 0 && file < MAX_FILES) watched[file] = counted != 0; \
        if (counted) done();                                             \
        return file;                                                     \
    }
OPEN(open, (const char* path, int flags, ...), (path, flags, rights), (const char*, int, ...))
OPEN(open64, (const char* path, int flags, ...), (path, flags, rights), (const char*, int, ...))
OPEN(openat, (int folder, const char* path, int flags, ...), (folder, path, flags, rights),
     (int, const char*, int, ...))
OPEN(openat64, (int folder, const char* path, int flags, ...), (folder, path, flags, rights),
     (int, const char*, int, ...))

ssize_t write(int file, const void* data, size_t bytes) {
    ssize_t (*const call)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))next("write");
    if (!is_watched(file)) return call(file, data, bytes);
    if (fails(1)) {
        /* A full disk takes a part first. */
        if (code == ENOSPC && mode == FAIL_FROM && count == place && bytes > 1) return call(file, data, bytes / 2);
        return -1;
    }
    const int torn = mode == KILL_AFTER && count == place;
    const ssize_t result = call(file, data, (torn || mode == SHORT_WRITES) && bytes > 1 ? bytes / 2 : bytes);
    done();
    return result;
}

#define OF_FILE(name, interruptible, parameters, arguments, type) \
    int name parameters {                                         \
        int(*const call) type = (int(*) type)next(#name);         \
        if (!is_watched(file)) return call arguments;             \
        if (fails(interruptible)) return -1;                      \
        const int result = call arguments;                        \
        done();                                                   \
        return result;                                            \
    }
OF_FILE(fsync, 1, (int file), (file), (int))
OF_FILE(fdatasync, 1, (int file), (file), (int))
OF_FILE(ftruncate, 1, (int file, off_t size), (file, size), (int, off_t))
OF_FILE(ftruncate64, 1, (int file, off64_t size), (file, size), (int, off64_t))
OF_FILE(fchmod, 0, (int file, mode_t rights), (file, rights), (int, mode_t))
OF_FILE(fchown, 0, (int file, uid_t user, gid_t group), (file, user, group), (int, uid_t, gid_t))
OF_FILE(flock, 1, (int file, int operation), (file, operation), (int, int))

/* A close() that fails has closed the file all the same. */
int close(int file) {
    int (*const call)(int) = (int (*)(int))next("close");
    if (!is_watched(file)) return call(file);
    const int failed = fails(1), error = errno;
    watched[file] = 0;
    const int result = call(file);
    done();
    if (failed) errno = error;
    return failed ? -1 : result;
}

#define OF_NAMES(name, parameters, arguments, type)             \
    int name parameters {                                       \
        if (fails(0)) return -1;                                \
        const int result = ((int(*) type)next(#name))arguments; \
        if (mode != OFF) done();                                \
        return result;                                          \
    }
OF_NAMES(rename, (const char* from, const char* to), (from, to), (const char*, const char*))
OF_NAMES(renameat, (int a, const char* from, int b, const char* to), (a, from, b, to),
         (int, const char*, int, const char*))
OF_NAMES(link, (const char* from, const char* to), (from, to), (const char*, const char*))
OF_NAMES(linkat, (int a, const char* from, int b, const char* to, int flags), (a, from, b, to, flags),
         (int, const char*, int, const char*, int))
OF_NAMES(unlink, (const char* path), (path), (const char*))
OF_NAMES(unlinkat, (int folder, const char* path, int flags), (folder, path, flags), (int, const char*, int))
OF_NAMES(mkdir, (const char* path, mode_t rights), (path, rights), (const char*, mode_t))
OF_NAMES(rmdir, (const char* path), (path), (const char*))
