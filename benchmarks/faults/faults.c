/* Counts the calls by which a process changes files below FAULTS_ROOT, and at one of them does what FAULTS_DO says.
 *
 * cc -shared -fPIC -O1 -o faults.so faults.c -ldl;  LD_PRELOAD=./faults.so FAULTS_ROOT=... FAULTS_DO=... COMMAND
 *
 * FAULTS_DO     count            only count, into the file FAULTS_COUNTER (shared by all processes of a command)
 *               stop             SIGSTOP the process before each call: a harness copies the folder, then continues it
 *               kill N SIGNUM    this signal before the N-th call: to the process, or to FAULTS_PID
 *               fail N ERRNO     the N-th call fails with this error, and so does each one after it that needs room
 * FAULTS_LOG    a file with a line for each call: its number, its name, its path
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static volatile long *counter;
static long at;
static int error, mode; /* mode: 0 off, 'c', 's', 'k', 'f' */

__attribute__((constructor)) void faults_begin(void) { /* again after a fork, with another environment */
    mode = 0;
    const char *what = getenv("FAULTS_DO"), *below = getenv("FAULTS_ROOT"), *shared = getenv("FAULTS_COUNTER");
    if (!what || !below || !shared) return;
    snprintf(root, sizeof root, "%s", below);
    int file = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || syscall(SYS_ftruncate, file, sizeof(long))) return;
    counter = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (counter == MAP_FAILED) return;
    char kind[16];
    if (sscanf(what, "%15s %ld %d", kind, &at, &error) >= 1) mode = kind[0];
}

static void reached(long number, const char *call, const char *path) {
    const char *log = getenv("FAULTS_LOG");
    if (log) {
        char line[PATH_MAX + 64];
        int size = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
        int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (file >= 0) syscall(SYS_write, file, line, size), syscall(SYS_close, file);
    }
    if (mode == 's') syscall(SYS_kill, getpid(), SIGSTOP);
    if (mode == 'k' && number == at) {
        const char *other = getenv("FAULTS_PID");
        syscall(SYS_kill, other ? atoi(other) : getpid(), error);
    }
}

/* Whether a call on this path shall fail; `room`: whether it takes room on the disk. */
static int fails(const char *call, const char *path, int room) {
    if (!mode || !path || strncmp(path, root, strlen(root))) return 0;
    long number = __sync_add_and_fetch(counter, 1);
    reached(number, call, path);
    if (mode != 'f' || number < at || (number > at && !room)) return 0;
    errno = error;
    return 1;
}

static const char *absolute(int folder, const char *path, char *space) {
    if (!path || path[0] == '/') return path;
    char link[64], base[PATH_MAX];
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return NULL;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, base, sizeof base - 1);
        if (size < 0) return NULL;
        base[size] = 0;
    }
    if ((size_t)snprintf(space, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    return space;
}

static const char *of(int file, char *space) {
    char link[64];
    if (!mode) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, space, PATH_MAX - 1);
    if (size < 0) return NULL;
    space[size] = 0;
    return space;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define PATHS char space[PATH_MAX], other[PATH_MAX]; (void)other

#define OPENING(name, flags) \
    int permissions = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags), permissions = va_arg(more, int), va_end(more); \
    } \
    int changes = ((flags) & (O_CREAT | O_TRUNC)) != 0

int open(const char *path, int flags, ...) {
    REAL(open); PATHS; OPENING(open, flags);
    if (changes && fails("open", absolute(AT_FDCWD, path, space), 1)) return -1;
    return real(path, flags, permissions);
}
int open64(const char *path, int flags, ...) {
    REAL(open64); PATHS; OPENING(open64, flags);
    if (changes && fails("open", absolute(AT_FDCWD, path, space), 1)) return -1;
    return real(path, flags, permissions);
}
int openat(int folder, const char *path, int flags, ...) {
    REAL(openat); PATHS; OPENING(openat, flags);
    if (changes && fails("open", absolute(folder, path, space), 1)) return -1;
    return real(folder, path, flags, permissions);
}
int openat64(int folder, const char *path, int flags, ...) {
    REAL(openat64); PATHS; OPENING(openat64, flags);
    if (changes && fails("open", absolute(folder, path, space), 1)) return -1;
    return real(folder, path, flags, permissions);
}
FILE *fopen(const char *path, const char *how) {
    REAL(fopen); PATHS;
    if (how[0] != 'r' && fails("open", absolute(AT_FDCWD, path, space), 1)) return NULL;
    return real(path, how);
}
FILE *fopen64(const char *path, const char *how) {
    REAL(fopen64); PATHS;
    if (how[0] != 'r' && fails("open", absolute(AT_FDCWD, path, space), 1)) return NULL;
    return real(path, how);
}
/* Whether a write makes its file longer; what is within it has its room. */
static int grows(int file, size_t size) {
    struct stat now;
    off_t place = lseek(file, 0, SEEK_CUR);
    return place < 0 || fstat(file, &now) || place + (off_t)size > now.st_size;
}

#define ON_FILE(kind, name, parameters, arguments, room) \
    kind name parameters { \
        REAL(name); PATHS; \
        if (fails(#name, of(file, space), room)) return -1; \
        return real arguments; \
    }
ON_FILE(ssize_t, write, (int file, const void *data, size_t size), (file, data, size), grows(file, size))
ON_FILE(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), 1)
ON_FILE(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), 1)
ON_FILE(ssize_t, writev, (int file, const struct iovec *data, int count), (file, data, count), 1)
ON_FILE(ssize_t, sendfile, (int file, int from, off_t *at, size_t size), (file, from, at, size), 1)
ON_FILE(ssize_t, sendfile64, (int file, int from, off64_t *at, size_t size), (file, from, at, size), 1)
ON_FILE(int, fsync, (int file), (file), 0)
ON_FILE(int, fdatasync, (int file), (file), 0)
ON_FILE(int, ftruncate, (int file, off_t size), (file, size), 1)
ON_FILE(int, ftruncate64, (int file, off64_t size), (file, size), 1)

ssize_t copy_file_range(int from, off64_t *start, int file, off64_t *at_, size_t size, unsigned flags) {
    REAL(copy_file_range); PATHS;
    if (fails("copy_file_range", of(file, space), 1)) return -1;
    return real(from, start, file, at_, size, flags);
}
#define ON_PATH(name, parameters, arguments, room) \
    int name parameters { \
        REAL(name); PATHS; \
        if (fails(#name, absolute(AT_FDCWD, path, space), room)) return -1; \
        return real arguments; \
    }
ON_PATH(mkdir, (const char *path, mode_t how), (path, how), 1)
ON_PATH(rmdir, (const char *path), (path), 0)
ON_PATH(unlink, (const char *path), (path), 0)
ON_PATH(rename, (const char *path, const char *to), (path, to), 1)
ON_PATH(link, (const char *path, const char *to), (path, to), 1)
ON_PATH(symlink, (const char *to, const char *path), (to, path), 1)

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat); PATHS;
    if (fails("unlink", absolute(folder, path, space), 0)) return -1;
    return real(folder, path, flags);
}
int renameat(int from, const char *path, int folder, const char *to) {
    REAL(renameat); PATHS;
    if (fails("rename", absolute(folder, to, space), 1)) return -1;
    return real(from, path, folder, to);
}
int mkdirat(int folder, const char *path, mode_t how) {
    REAL(mkdirat); PATHS;
    if (fails("mkdir", absolute(folder, path, space), 1)) return -1;
    return real(folder, path, how);
}
