/*
 * A layer between a program and its files, for tests: put in front of libc by LD_PRELOAD. Whatever the program does to
 * files below one folder is written down in one global order, over all threads and processes, and may be made to fail.
 * SQLite's calls and those of Rust's std::fs pass here alike; neither knows.
 *
 *   MIYU_POWER_ROOT    the folder, absolute and without links in it
 *   MIYU_POWER_LOG     where operations are written down (`LOG.lock` beside it); records are read by log.rs
 *   MIYU_POWER_SYNC_MS "3-20": a sync takes so long, drawn anew each time, before it takes effect
 *   MIYU_POWER_FAULTS  a file that is read before each operation; a line each:
 *                        full SKIP              what would take more room fails with ENOSPC, after SKIP that did
 *                        readonly               what would change anything fails with EROFS
 *                        eio WHAT SKIP TEXT     "read", "write" or "sync" of a path with TEXT in it fails with EIO,
 *                                               after SKIP of them
 *
 * With a log a sync does nothing else: whether bytes outlive a power cut is for the reader of the log to say.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&name))next(#name))

enum op {
    OP_CREATE = 1, OP_MKDIR, OP_WRITE, OP_SIZE, OP_SYNC_BEGIN, OP_SYNC_END, OP_NAMES_BEGIN, OP_NAMES_END,
    OP_RENAME, OP_REMOVE, OP_LINK, OP_MAP, OP_UNKNOWN
};

/* Little-endian, followed by `names` bytes of paths and `bytes` bytes of content. */
struct record {
    uint32_t op;
    uint32_t names;
    uint64_t bytes;
    uint64_t inode;
    uint64_t number; /* offset, size, or which sync */
};

static char root[PATH_MAX];
static size_t root_length;
static const char *faults_path;
static int log_fd = -1, lock_fd = -1;
static unsigned sync_ms_min, sync_ms_max;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint64_t syncs;

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "shim: libc has no %s\n", name);
        abort();
    }
    return found;
}

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("MIYU_POWER_ROOT");
    const char *log = getenv("MIYU_POWER_LOG");
    const char *pace = getenv("MIYU_POWER_SYNC_MS");
    faults_path = getenv("MIYU_POWER_FAULTS");
    if (!folder) return;
    snprintf(root, sizeof root, "%s", folder);
    if (pace && sscanf(pace, "%u-%u", &sync_ms_min, &sync_ms_max) != 2) abort();
    if (log) {
        char lock[PATH_MAX];
        snprintf(lock, sizeof lock, "%s.lock", log);
        log_fd = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        lock_fd = NEXT(open)(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (log_fd < 0 || lock_fd < 0) abort();
    }
    root_length = strlen(root);
}

/* No thread is between an operation and its record when the process ends. */
__attribute__((destructor)) static void end(void) {
    if (log_fd >= 0) {
        pthread_mutex_lock(&order);
        flock(lock_fd, LOCK_EX);
    }
}

static void enter(void) {
    if (log_fd < 0) return;
    pthread_mutex_lock(&order);
    while (flock(lock_fd, LOCK_EX) != 0) {}
}

static void leave(void) {
    if (log_fd < 0) return;
    int kept = errno;
    flock(lock_fd, LOCK_UN);
    pthread_mutex_unlock(&order);
    errno = kept;
}

/* The path below the root in `out` ("" for the root itself); 0 where it lies elsewhere. */
static int below(const char *path, char out[PATH_MAX]) {
    if (root_length == 0 || strncmp(path, root, root_length) != 0) return 0;
    if (path[root_length] != '/' && path[root_length] != 0) return 0;
    const char *rest = path + root_length;
    while (*rest == '/') rest++;
    snprintf(out, PATH_MAX, "%s", rest);
    return 1;
}

/* Without ".", ".." and doubled slashes: `path` is absolute. */
static void plain(const char *path, char out[PATH_MAX]) {
    size_t length = 0;
    while (*path) {
        while (*path == '/') path++;
        size_t part = strcspn(path, "/");
        if (part == 0 || (part == 1 && path[0] == '.')) {
        } else if (part == 2 && path[0] == '.' && path[1] == '.') {
            while (length > 0 && out[--length] != '/') {}
        } else if (length + part + 2 < PATH_MAX) {
            out[length++] = '/';
            memcpy(out + length, path, part);
            length += part;
        }
        path += part;
    }
    out[length] = 0;
}

static int named(int folder, const char *path, char out[PATH_MAX]) {
    char whole[2 * PATH_MAX], clean[PATH_MAX];
    if (root_length == 0) return 0;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char base[PATH_MAX];
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return 0;
            base[length] = 0;
        }
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    plain(whole, clean);
    return below(clean, out);
}

/* Whether this is a file or folder of ours, whatever it was opened or duplicated from. */
static int opened(int fd, char out[PATH_MAX], struct stat *about) {
    if (root_length == 0) return 0;
    int kept = errno, ours = 0;
    char link[64], path[PATH_MAX];
    if (fstat(fd, about) == 0 && (S_ISREG(about->st_mode) || S_ISDIR(about->st_mode))) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = 0;
            ours = below(path, out);
        }
    }
    errno = kept;
    return ours;
}

static void note(uint32_t op, uint64_t inode, uint64_t number, const char *one, const char *other, const void *content,
                 size_t bytes) {
    if (log_fd < 0) return;
    int kept = errno;
    char names[2 * PATH_MAX];
    int length = other ? snprintf(names, sizeof names, "%s%c%s", one, 0, other) : snprintf(names, sizeof names, "%s", one);
    struct record head = {op, (uint32_t)length, bytes, inode, number};
    struct iovec parts[3] = {{&head, sizeof head}, {names, (size_t)length}, {(void *)content, bytes}};
    if (NEXT(writev)(log_fd, parts, 3) != (ssize_t)(sizeof head + (size_t)length + bytes)) {
        fprintf(stderr, "shim: the log cannot be written\n");
        abort();
    }
    errno = kept;
}

/* Faults. `grows`: whether it would take room on the disk. */

enum want { WANT_READ, WANT_WRITE, WANT_SYNC, WANT_OPEN };
static const char *const wants[] = {"read", "write", "sync", "open"};

/* Whether `skip` that this line speaks of have been. One line is counted: the one that was met last. */
static int over(const char *line, unsigned skip) {
    static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    static char last[256];
    static unsigned count;
    pthread_mutex_lock(&guard);
    if (strncmp(line, last, sizeof last - 1) != 0) {
        snprintf(last, sizeof last, "%s", line);
        count = 0;
    }
    int over = count++ >= skip;
    pthread_mutex_unlock(&guard);
    return over;
}

static int fault(const char *path, enum want want, int grows) {
    if (!faults_path || root_length == 0) return 0;
    int kept = errno, fault = 0;
    int fd = NEXT(open)(faults_path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        char text[1024], *rest = text, *line;
        ssize_t length = NEXT(read)(fd, text, sizeof text - 1);
        NEXT(close)(fd);
        text[length > 0 ? length : 0] = 0;
        while ((line = strsep(&rest, "\n"))) {
            char what[16], part[200];
            unsigned skip;
            if (sscanf(line, "full %u", &skip) == 1 && grows && over(line, skip)) fault = ENOSPC;
            if (strcmp(line, "readonly") == 0 && (want == WANT_WRITE || want == WANT_OPEN)) fault = EROFS;
            if (sscanf(line, "eio %15s %u %199s", what, &skip, part) == 3 && strcmp(what, wants[want]) == 0 &&
                strstr(path, part) && over(line, skip)) {
                fault = EIO;
            }
        }
    }
    errno = fault ? fault : kept;
    return fault != 0;
}

/* Names. */

static int open_file(int folder, const char *path, int flags, mode_t mode) {
    char name[PATH_MAX];
    struct stat before, about;
    if (!named(folder, path, name)) return NEXT(openat)(folder, path, flags, mode);
    int there = fstatat(folder, path, &before, 0) == 0;
    int changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    /* A name that is taken is told of first, as the kernel does. */
    int taken = there && (flags & O_CREAT) && (flags & O_EXCL);
    if (changes && !taken && fault(name, WANT_OPEN, !there && (flags & O_CREAT))) return -1;
    enter();
    there = fstatat(folder, path, &before, 0) == 0;
    int fd = NEXT(openat)(folder, path, flags, mode);
    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        if (!there) note(OP_CREATE, about.st_ino, 0, name, NULL, NULL, 0);
        else if ((flags & O_TRUNC) && before.st_size > 0) note(OP_SIZE, about.st_ino, 0, name, NULL, NULL, 0);
    }
    leave();
    return fd;
}

#define MODE(last, flags)                                      \
    mode_t mode = 0;                                           \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                     \
        va_list more;                                          \
        va_start(more, last);                                  \
        mode = (mode_t)va_arg(more, int);                      \
        va_end(more);                                          \
    }

EXPORT int open(const char *path, int flags, ...) { MODE(flags, flags) return open_file(AT_FDCWD, path, flags, mode); }
EXPORT int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_file(AT_FDCWD, path, flags, mode); }
EXPORT int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, flags) return open_file(folder, path, flags, mode);
}
EXPORT int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, flags) return open_file(folder, path, flags, mode);
}
EXPORT int creat(const char *path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
EXPORT int creat64(const char *path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

EXPORT int mkdirat(int folder, const char *path, mode_t mode) {
    char name[PATH_MAX];
    if (!named(folder, path, name)) return NEXT(mkdirat)(folder, path, mode);
    struct stat before;
    if (fstatat(folder, path, &before, 0) != 0 && fault(name, WANT_WRITE, 1)) return -1;
    enter();
    int result = NEXT(mkdirat)(folder, path, mode);
    if (result == 0) note(OP_MKDIR, 0, 0, name, NULL, NULL, 0);
    leave();
    return result;
}
EXPORT int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

EXPORT int unlinkat(int folder, const char *path, int flags) {
    char name[PATH_MAX];
    if (!named(folder, path, name)) return NEXT(unlinkat)(folder, path, flags);
    if (fault(name, WANT_WRITE, 0)) return -1;
    enter();
    int result = NEXT(unlinkat)(folder, path, flags);
    if (result == 0) note(OP_REMOVE, 0, 0, name, NULL, NULL, 0);
    leave();
    return result;
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

EXPORT int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    char one[PATH_MAX], other[PATH_MAX];
    int leaves = named(from, old, one), comes = named(to, new, other);
    if (!leaves && !comes) return NEXT(renameat2)(from, old, to, new, flags);
    if (fault(comes ? other : one, WANT_WRITE, 0)) return -1;
    enter();
    int result = NEXT(renameat2)(from, old, to, new, flags);
    int known = leaves && comes && !(flags & RENAME_EXCHANGE);
    if (result == 0) note(known ? OP_RENAME : OP_UNKNOWN, 0, 0, leaves ? one : "", comes ? other : "", NULL, 0);
    leave();
    return result;
}
EXPORT int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
EXPORT int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

EXPORT int linkat(int from, const char *old, int to, const char *new, int flags) {
    char one[PATH_MAX], other[PATH_MAX];
    int known = named(from, old, one);
    if (!named(to, new, other)) return NEXT(linkat)(from, old, to, new, flags);
    if (fault(other, WANT_WRITE, 1)) return -1;
    enter();
    int result = NEXT(linkat)(from, old, to, new, flags);
    if (result == 0) note(known ? OP_LINK : OP_UNKNOWN, 0, 0, known ? one : "", other, NULL, 0);
    leave();
    return result;
}
EXPORT int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

/* Content. */

static ssize_t write_parts(int fd, const struct iovec *parts, int count, int64_t offset) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(fd, name, &about)) {
        return offset < 0 ? NEXT(writev)(fd, parts, count) : NEXT(pwritev)(fd, parts, count, offset);
    }
    enter();
    fstat(fd, &about);
    int appends = offset < 0 && (fcntl(fd, F_GETFL) & O_APPEND);
    int64_t at = appends ? about.st_size : offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
    ssize_t written = -1;
    if (!fault(name, WANT_WRITE, at + (int64_t)bytes > about.st_size)) {
        written = offset < 0 ? NEXT(writev)(fd, parts, count) : NEXT(pwritev)(fd, parts, count, offset);
    }
    if (written > 0 && log_fd >= 0) {
        /* What was taken is in the order of the parts. */
        char *content = malloc((size_t)written), *end = content;
        size_t left = (size_t)written;
        for (int i = 0; content && i < count && left > 0; i++) {
            size_t take = parts[i].iov_len < left ? parts[i].iov_len : left;
            memcpy(end, parts[i].iov_base, take);
            end += take;
            left -= take;
        }
        if (!content) abort();
        note(OP_WRITE, about.st_ino, (uint64_t)at, name, NULL, content, (size_t)written);
        free(content);
    }
    leave();
    return written;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_parts(fd, parts, count, at); }
EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    return write_parts(fd, parts, count, at);
}
EXPORT ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    struct iovec part = {(void *)bytes, count};
    return write_parts(fd, &part, 1, at);
}
EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }
EXPORT ssize_t write(int fd, const void *bytes, size_t count) {
    char name[PATH_MAX];
    struct stat about;
    struct iovec part = {(void *)bytes, count};
    if (!opened(fd, name, &about)) return NEXT(write)(fd, bytes, count);
    return write_parts(fd, &part, 1, -1);
}

static int set_size(int fd, off_t size) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(fd, name, &about)) return NEXT(ftruncate)(fd, size);
    if (fault(name, WANT_WRITE, size > about.st_size)) return -1;
    enter();
    int result = NEXT(ftruncate)(fd, size);
    if (result == 0) note(OP_SIZE, about.st_ino, (uint64_t)size, name, NULL, NULL, 0);
    leave();
    return result;
}
EXPORT int ftruncate(int fd, off_t size) { return set_size(fd, size); }
EXPORT int ftruncate64(int fd, off64_t size) { return set_size(fd, size); }

static int set_size_of(const char *path, off_t size) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int result = set_size(fd, size);
    close(fd);
    return result;
}
EXPORT int truncate(const char *path, off_t size) { return set_size_of(path, size); }
EXPORT int truncate64(const char *path, off64_t size) { return set_size_of(path, size); }

static int reserve(int fd, int mode, off_t at, off_t bytes) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(fd, name, &about)) return NEXT(fallocate)(fd, mode, at, bytes);
    if (fault(name, WANT_WRITE, 1)) return -1;
    enter();
    int result = NEXT(fallocate)(fd, mode, at, bytes);
    if (result == 0 && mode != 0) note(OP_UNKNOWN, about.st_ino, 0, name, NULL, NULL, 0);
    else if (result == 0 && at + bytes > about.st_size) note(OP_SIZE, about.st_ino, (uint64_t)(at + bytes), name, NULL, NULL, 0);
    leave();
    return result;
}
EXPORT int fallocate(int fd, int mode, off_t at, off_t bytes) { return reserve(fd, mode, at, bytes); }
EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t bytes) { return reserve(fd, mode, at, bytes); }
EXPORT int posix_fallocate(int fd, off_t at, off_t bytes) { return reserve(fd, 0, at, bytes) == 0 ? 0 : errno; }
EXPORT int posix_fallocate64(int fd, off64_t at, off64_t bytes) { return reserve(fd, 0, at, bytes) == 0 ? 0 : errno; }

/* Ways around write(): whoever tries them falls back to it. */
EXPORT ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(out, name, &about)) return NEXT(copy_file_range)(in, from, out, to, count, flags);
    errno = EXDEV;
    return -1;
}
EXPORT ssize_t sendfile64(int out, int in, off64_t *from, size_t count) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(out, name, &about)) return NEXT(sendfile64)(out, in, from, count);
    errno = EINVAL;
    return -1;
}

EXPORT void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, off64_t from) {
    char name[PATH_MAX];
    struct stat about;
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && opened(fd, name, &about)) {
        enter();
        note(OP_MAP, about.st_ino, 0, name, NULL, NULL, 0);
        leave();
    }
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, from);
}
EXPORT void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t from) {
    return mmap64(at, bytes, protection, flags, fd, from);
}

/* What was written before a sync begins counts once it has ended. */
static int sync_fd(int fd, int (*real)(int)) {
    char name[PATH_MAX];
    struct stat about;
    if (!opened(fd, name, &about)) return real(fd);
    if (fault(name, WANT_SYNC, 0)) return -1;
    if (log_fd < 0) return real(fd);
    int names = S_ISDIR(about.st_mode);
    enter();
    uint64_t number = ((uint64_t)getpid() << 32) | ++syncs;
    note(names ? OP_NAMES_BEGIN : OP_SYNC_BEGIN, about.st_ino, number, name, NULL, NULL, 0);
    leave();
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned ms = sync_ms_min;
    if (sync_ms_max > sync_ms_min) ms += (unsigned)(now.tv_nsec / 1000) % (sync_ms_max - sync_ms_min + 1);
    struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
    enter();
    note(names ? OP_NAMES_END : OP_SYNC_END, about.st_ino, number, name, NULL, NULL, 0);
    leave();
    return 0;
}
EXPORT int fsync(int fd) { return sync_fd(fd, NEXT(fsync)); }
EXPORT int fdatasync(int fd) { return sync_fd(fd, NEXT(fdatasync)); }

/* Reading, for the faults alone. */
EXPORT ssize_t read(int fd, void *bytes, size_t count) {
    char name[PATH_MAX];
    struct stat about;
    if (faults_path && opened(fd, name, &about) && fault(name, WANT_READ, 0)) return -1;
    return NEXT(read)(fd, bytes, count);
}
EXPORT ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
    char name[PATH_MAX];
    struct stat about;
    if (faults_path && opened(fd, name, &about) && fault(name, WANT_READ, 0)) return -1;
    return NEXT(pread64)(fd, bytes, count, at);
}
EXPORT ssize_t pread(int fd, void *bytes, size_t count, off_t at) { return pread64(fd, bytes, count, at); }
