/* Stands between a process and its files: writes down what it does to them, dies at a named call, shifts its clock.
 *
 * Preloaded (LD_PRELOAD) and told by environment variables; `iolog_begin()` reads them again, for a child of a fork.
 *   IOLOG_ROOT     only files under this folder matter; without it nothing is looked at
 *   IOLOG_JOURNAL  every call that changes them is appended to this file, with its data (see `struct entry`)
 *   IOLOG_KILL     "call:pattern:n:before|after": SIGKILL before or after the n-th such call on a file of that pattern
 *   IOLOG_LIE      a pattern: fsync and fdatasync of such files say yes and do nothing
 *   IOLOG_CLOCK    a file of 16 bytes: nanoseconds (signed) by which the wall clock and the monotonic one are ahead,
 *                  read at every look
 * Calls: open, write, truncate, sync, rename, unlink, link. Patterns are fnmatch's, over the path below the root.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, LINK, MAPPED };
enum { CREATED = 1, DIRECTORY = 2 };

/* One line of the journal, followed by path, other path and data. Times are CLOCK_MONOTONIC in nanoseconds. */
struct entry {
    uint64_t begun, ended;
    int64_t offset; /* of a write; the new size of a truncate */
    uint32_t kind, file, flags; /* `file` counts openings: each has its own number */
    uint32_t path_size, other_size, data_size;
};

enum { FDS = 65536, FILES = 1 << 20 };

static const char *const NAMES[] = {"", "open", "write", "truncate", "sync", "rename", "unlink", "link", ""};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t file_of[FDS];
static char *paths[FILES];
static uint32_t last_file;
static char root[PATH_MAX / 2], lie[256], kill_pattern[256];
static size_t root_size;
static int journal = -1, kill_kind, kill_after;
static long kill_at, kill_seen;
static volatile int64_t *ahead;

/* A part of a file that can be written without a call: what was seen there last. */
enum { MAPPINGS = 32, MAPPED_SIZE = 1 << 20 };
static struct mapping {
    char *at, *seen;
    size_t size;
    int64_t offset;
    uint32_t file;
} mappings[MAPPINGS];

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static uint64_t now_ns(void) {
    struct timespec at;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void copy_setting(char *to, size_t size, const char *name) {
    const char *value = getenv(name);
    snprintf(to, size, "%s", value ? value : "");
}

void iolog_begin(void) {
    char text[PATH_MAX];
    pthread_mutex_init(&lock, NULL);
    memset(file_of, 0, sizeof file_of);
    memset(mappings, 0, sizeof mappings);
    copy_setting(root, sizeof root, "IOLOG_ROOT");
    root_size = strlen(root);
    copy_setting(lie, sizeof lie, "IOLOG_LIE");
    if (journal >= 0) syscall(SYS_close, journal);
    copy_setting(text, sizeof text, "IOLOG_JOURNAL");
    journal = *text ? (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    kill_kind = kill_seen = 0;
    copy_setting(text, sizeof text, "IOLOG_KILL");
    char *rest = text, *call = strsep(&rest, ":"), *pattern = strsep(&rest, ":"), *n = strsep(&rest, ":");
    if (call && pattern && n && rest) {
        for (int kind = OPEN; kind <= LINK; kind++)
            if (!strcmp(call, NAMES[kind])) kill_kind = kind;
        snprintf(kill_pattern, sizeof kill_pattern, "%s", pattern);
        kill_at = atol(n);
        kill_after = !strcmp(rest, "after");
    }
    copy_setting(text, sizeof text, "IOLOG_CLOCK");
    if (*text) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
        void *seen = fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        ahead = seen == MAP_FAILED ? NULL : seen;
        if (fd >= 0) syscall(SYS_close, fd);
    }
}

__attribute__((constructor)) static void begin(void) { iolog_begin(); }

/* The path as the journal has it, below the root; NULL when it is none of ours. */
static const char *below(const char *path) {
    if (!root_size || strncmp(path, root, root_size) || (path[root_size] && path[root_size] != '/')) return NULL;
    path += root_size;
    while (*path == '/') path++;
    size_t size = strlen(path);
    /* what SQLite shares between processes is made anew after a crash */
    return size > 4 && !strcmp(path + size - 4, "-shm") ? NULL : path;
}

static const char *full(int at, const char *path, char *room) {
    if (!root_size || !path || *path == '/') return path;
    if (at == AT_FDCWD) {
        if (syscall(SYS_getcwd, room, PATH_MAX) < 0) return path;
    } else if (at >= 0 && at < FDS && file_of[at]) {
        snprintf(room, PATH_MAX, "%s/%.2000s", root, paths[file_of[at]]);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, room, PATH_MAX - 1);
        if (size < 0) return path;
        room[size] = 0;
    }
    size_t size = strlen(room);
    snprintf(room + size, PATH_MAX - size, "/%s", path);
    return room;
}

static uint32_t tracked(int fd) { return fd >= 0 && fd < FDS ? file_of[fd] : 0; }

static void die_at(enum kind kind, const char *path, int after) {
    if ((int)kind != kill_kind || after != kill_after || fnmatch(kill_pattern, path, 0)) return;
    if (__sync_add_and_fetch(&kill_seen, 1) == kill_at) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) syscall(SYS_pause);
    }
}

static void put_down(struct entry entry, const char *path, const char *other, const struct iovec *data, int parts) {
    struct iovec all[64 + 3];
    entry.ended = now_ns();
    entry.path_size = (uint32_t)strlen(path);
    entry.other_size = other ? (uint32_t)strlen(other) : 0;
    for (int i = 0; i < parts; i++) {
        all[3 + i] = data[i];
        entry.data_size += (uint32_t)data[i].iov_len;
    }
    all[0] = (struct iovec){&entry, sizeof entry};
    all[1] = (struct iovec){(void *)path, entry.path_size};
    all[2] = (struct iovec){(void *)other, entry.other_size};
    syscall(SYS_writev, journal, all, 3 + parts);
}

/* What was written through mappings since the last look. */
static void look_at_mappings(void) {
    for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++) {
        if (!m->size || !memcmp(m->at, m->seen, m->size)) continue;
        memcpy(m->seen, m->at, m->size);
        struct iovec data = {m->seen, m->size};
        put_down((struct entry){.begun = now_ns(), .kind = WRITE, .file = m->file, .offset = m->offset},
                 paths[m->file], NULL, &data, 1);
    }
}

/* Called with the lock held. */
static void note(struct entry entry, const char *path, const char *other, const struct iovec *data, int parts) {
    if (journal < 0) return;
    look_at_mappings();
    put_down(entry, path, other, data, parts);
}

static int opened(int fd, const char *path, uint64_t begun, int existed) {
    struct stat found;
    const char *mine = below(path);
    if (fd < 0 || fd >= FDS || !mine) return fd;
    pthread_mutex_lock(&lock);
    uint32_t file = last_file + 1;
    if (file < FILES) {
        last_file = file;
        paths[file] = strdup(mine);
        file_of[fd] = file;
        int is_directory = syscall(SYS_fstat, fd, &found) == 0 && S_ISDIR(found.st_mode);
        note((struct entry){.begun = begun, .kind = OPEN, .file = file,
             .flags = (existed ? 0 : CREATED) | (is_directory ? DIRECTORY : 0)}, mine, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static int open_any(int at, const char *given, int flags, mode_t mode) {
    char room[PATH_MAX];
    const char *path = full(at, given, room), *mine = root_size && path ? below(path) : NULL;
    if (!mine) {
        int fd = (int)syscall(SYS_openat, at, given, flags, mode);
        if (fd >= 0 && fd < FDS) file_of[fd] = 0;
        return fd;
    }
    int existed = !(flags & O_CREAT) || syscall(SYS_faccessat, at, given, F_OK) == 0;
    uint64_t begun = now_ns();
    if (!existed) die_at(OPEN, mine, 0);
    int fd = opened((int)syscall(SYS_openat, at, given, flags, mode), path, begun, existed);
    if (fd >= 0 && (flags & O_TRUNC) && existed && tracked(fd)) {
        pthread_mutex_lock(&lock);
        note((struct entry){.begun = begun, .kind = TRUNCATE, .file = file_of[fd]}, mine, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    if (fd >= 0 && !existed) die_at(OPEN, mine, 1);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < FDS) file_of[fd] = 0;
    return real(fd);
}

static ssize_t wrote(int fd, uint64_t begun, ssize_t done, off_t offset, const struct iovec *data, int parts) {
    struct iovec said[64];
    uint32_t file = tracked(fd);
    if (done <= 0 || !file) return done;
    int saved = errno, count = 0;
    if (offset < 0) offset = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - done;
    for (size_t left = (size_t)done; count < parts && count < 64 && left; count++) {
        said[count] = (struct iovec){data[count].iov_base, data[count].iov_len < left ? data[count].iov_len : left};
        left -= said[count].iov_len;
    }
    pthread_mutex_lock(&lock);
    note((struct entry){.begun = begun, .kind = WRITE, .file = file, .offset = offset}, paths[file], NULL, said, count);
    pthread_mutex_unlock(&lock);
    die_at(WRITE, paths[file], 1);
    errno = saved;
    return done;
}

#define BEFORE(kind) uint64_t begun = tracked(fd) ? (die_at(kind, paths[file_of[fd]], 0), now_ns()) : 0

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    BEFORE(WRITE);
    struct iovec one = {(void *)data, size};
    return wrote(fd, begun, real(fd, data, size), -1, &one, 1);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    BEFORE(WRITE);
    struct iovec one = {(void *)data, size};
    return wrote(fd, begun, real(fd, data, size, offset), offset, &one, 1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

ssize_t writev(int fd, const struct iovec *data, int parts) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (tracked(fd) && parts > 64) parts = 64;
    BEFORE(WRITE);
    return wrote(fd, begun, real(fd, data, parts), -1, data, parts);
}

ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t offset) {
    REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t);
    if (tracked(fd) && parts > 64) parts = 64;
    BEFORE(WRITE);
    return wrote(fd, begun, real(fd, data, parts, offset), offset, data, parts);
}

ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t offset) { return pwritev64(fd, data, parts, offset); }

ssize_t pwritev64v2(int fd, const struct iovec *data, int parts, off64_t offset, int flags) {
    REAL(ssize_t, "pwritev64v2", int, const struct iovec *, int, off64_t, int);
    if (tracked(fd) && parts > 64) parts = 64;
    BEFORE(WRITE);
    return wrote(fd, begun, real(fd, data, parts, offset, flags), offset, data, parts);
}

ssize_t pwritev2(int fd, const struct iovec *data, int parts, off_t offset, int flags) {
    return pwritev64v2(fd, data, parts, offset, flags);
}

/* Ways to write that show no data: whoever tries one on a file of ours is sent to the plain way. */
ssize_t sendfile64(int fd, int from, off64_t *offset, size_t size) {
    REAL(ssize_t, "sendfile64", int, int, off64_t *, size_t);
    if (tracked(fd)) { errno = EINVAL; return -1; }
    return real(fd, from, offset, size);
}

ssize_t sendfile(int fd, int from, off_t *offset, size_t size) { return sendfile64(fd, from, offset, size); }

ssize_t copy_file_range(int from, off64_t *from_offset, int fd, off64_t *offset, size_t size, unsigned int flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned int);
    if (tracked(fd)) { errno = EINVAL; return -1; }
    return real(from, from_offset, fd, offset, size, flags);
}

static int resized(int fd, uint64_t begun, int done, off_t size) {
    uint32_t file = tracked(fd);
    if (done || !file) return done;
    pthread_mutex_lock(&lock);
    note((struct entry){.begun = begun, .kind = TRUNCATE, .file = file, .offset = size}, paths[file], NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    die_at(TRUNCATE, paths[file], 1);
    return done;
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    BEFORE(TRUNCATE);
    return resized(fd, begun, real(fd, size), size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off64_t size) {
    int fd = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int done = ftruncate64(fd, size), saved = errno;
    close(fd);
    errno = saved;
    return done;
}

int truncate(const char *path, off_t size) { return truncate64(path, size); }

int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
    struct stat found;
    REAL(int, "fallocate64", int, int, off64_t, off64_t);
    BEFORE(TRUNCATE);
    int done = real(fd, mode, offset, size);
    if (!done && tracked(fd) && syscall(SYS_fstat, fd, &found) == 0) resized(fd, begun, 0, found.st_size);
    return done;
}

int fallocate(int fd, int mode, off_t offset, off_t size) { return fallocate64(fd, mode, offset, size); }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return fallocate64(fd, 0, offset, size) ? errno : 0; }
int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

static int synced(int fd, int call) {
    uint32_t file = tracked(fd);
    if (!file) return (int)syscall(call, fd);
    if (*lie && !fnmatch(lie, paths[file], 0)) return 0;
    if (journal >= 0) {
        pthread_mutex_lock(&lock);
        look_at_mappings();
        pthread_mutex_unlock(&lock);
    }
    BEFORE(SYNC);
    int done = (int)syscall(call, fd), saved = errno;
    if (!done) {
        pthread_mutex_lock(&lock);
        note((struct entry){.begun = begun, .kind = SYNC, .file = file}, paths[file], NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
        die_at(SYNC, paths[file], 1);
    }
    errno = saved;
    return done;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int named(enum kind kind, int at, const char *from, int to_at, const char *to, unsigned int flags) {
    char room[PATH_MAX], other_room[PATH_MAX];
    const char *path = full(at, from, room), *other = to ? full(to_at, to, other_room) : NULL;
    const char *mine = path ? below(path) : NULL, *yours = other ? below(other) : NULL;
    const char *seen = yours ? yours : mine;
    uint64_t begun = now_ns();
    if (seen) die_at(kind, seen, 0);
    int done = kind == UNLINK ? (int)syscall(SYS_unlinkat, at, from, flags)
             : kind == LINK ? (int)syscall(SYS_linkat, at, from, to_at, to, flags)
             : (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
    if (done || !seen) return done;
    pthread_mutex_lock(&lock);
    note((struct entry){.begun = begun, .kind = kind}, mine ? mine : "", kind == UNLINK ? NULL : yours ? yours : "", NULL, 0);
    pthread_mutex_unlock(&lock);
    die_at(kind, seen, 1);
    return done;
}

int rename(const char *from, const char *to) { return named(RENAME, AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int at, const char *from, int to_at, const char *to) { return named(RENAME, at, from, to_at, to, 0); }
int renameat2(int at, const char *from, int to_at, const char *to, unsigned int flags) {
    return named(RENAME, at, from, to_at, to, flags);
}
int unlink(const char *path) { return named(UNLINK, AT_FDCWD, path, 0, NULL, 0); }
int unlinkat(int at, const char *path, int flags) { return named(UNLINK, at, path, 0, NULL, (unsigned int)flags); }
int link(const char *from, const char *to) { return named(LINK, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int at, const char *from, int to_at, const char *to, int flags) {
    return named(LINK, at, from, to_at, to, (unsigned int)flags);
}

/* What is written through a mapping is looked for at the next call; one that is too large to look at is written down as
 * such. */
void *mmap64(void *wanted, size_t size, int may, int flags, int fd, off64_t offset) {
    uint32_t file = fd >= 0 ? tracked(fd) : 0;
    void *at = (void *)syscall(SYS_mmap, wanted, size, may, flags, fd, offset);
    if (!file || at == MAP_FAILED || !(flags & MAP_SHARED) || !(may & PROT_WRITE) || journal < 0) return at;
    pthread_mutex_lock(&lock);
    struct mapping *free_one = NULL;
    for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++)
        if (!m->size) free_one = m;
    if (free_one && size <= MAPPED_SIZE) {
        *free_one = (struct mapping){at, malloc(size), size, offset, file};
        memcpy(free_one->seen, at, size);
    } else {
        note((struct entry){.begun = now_ns(), .kind = MAPPED, .file = file}, paths[file], NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return at;
}

int munmap(void *at, size_t size) {
    if (journal >= 0 && root_size) {
        pthread_mutex_lock(&lock);
        look_at_mappings();
        for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++)
            if (m->size && m->at == at) {
                free(m->seen);
                m->size = 0;
            }
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_munmap, at, size);
}

int msync(void *at, size_t size, int how) {
    if (journal >= 0) {
        pthread_mutex_lock(&lock);
        look_at_mappings();
        pthread_mutex_unlock(&lock);
    }
    uint64_t begun = now_ns();
    int done = (int)syscall(SYS_msync, at, size, how);
    if (journal < 0 || done || !(how & MS_SYNC)) return done;
    pthread_mutex_lock(&lock);
    for (struct mapping *m = mappings; m < mappings + MAPPINGS; m++)
        if (m->size && (char *)at >= m->at && (char *)at < m->at + m->size)
            note((struct entry){.begun = begun, .kind = SYNC, .file = m->file}, paths[m->file], NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

void *mmap(void *wanted, size_t size, int may, int flags, int fd, off_t offset) {
    return mmap64(wanted, size, may, flags, fd, offset);
}

/* --- the clocks */

int clock_gettime(clockid_t id, struct timespec *at) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int done = real(id, at);
    int is_wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    if (!done && ahead && (is_wall || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        int64_t shifted = (int64_t)at->tv_sec * 1000000000 + at->tv_nsec + ahead[is_wall ? 0 : 1];
        at->tv_sec = shifted / 1000000000;
        at->tv_nsec = shifted % 1000000000;
    }
    return done;
}

/* A sleep until a moment of the shifted clock: the kernel knows the real one only. */
int clock_nanosleep(clockid_t id, int flags, const struct timespec *until, struct timespec *left) {
    REAL(int, "clock_nanosleep", clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec real_one = *until;
    int is_wall = id == CLOCK_REALTIME;
    if (ahead && (flags & TIMER_ABSTIME) && (is_wall || id == CLOCK_MONOTONIC)) {
        int64_t shifted = (int64_t)until->tv_sec * 1000000000 + until->tv_nsec - ahead[is_wall ? 0 : 1];
        real_one = (struct timespec){shifted > 0 ? shifted / 1000000000 : 0, shifted > 0 ? shifted % 1000000000 : 0};
    }
    return real(id, flags, &real_one, left);
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    if (!done) *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return done;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
