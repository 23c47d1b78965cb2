/* A disk that fails on demand: while the file named by FAULT_WHEN exists, calls on files below FAULT_BELOW fail.
   Its content: the name of the calls that fail (sync, write, all) and the errno, for example "sync 5". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int fails(int fd, const char *call) {
    const char *when = getenv("FAULT_WHEN"), *below = getenv("FAULT_BELOW");
    char link[64], path[4096], text[64];
    if (!when || !below || access(when, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below)) != 0) return 0;
    int control = REAL(open)(when, O_RDONLY);
    if (control < 0) return 0;
    length = REAL(read)(control, text, sizeof text - 1);
    REAL(close)(control);
    if (length <= 0) return 0;
    text[length] = 0;
    char *number = strchr(text, ' ');
    if (!number) return 0;
    *number++ = 0;
    if (strcmp(text, call) != 0 && strcmp(text, "all") != 0) return 0;
    errno = atoi(number);
    return 1;
}

int fsync(int fd) { return fails(fd, "sync") ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, "sync") ? -1 : REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *data, size_t size) { return fails(fd, "write") ? -1 : REAL(write)(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails(fd, "write") ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails(fd, "write") ? -1 : REAL(pwrite64)(fd, data, size, at);
}
